import platform

from app.inference.memory import keep_freed_memory


def test_keeps_freed_memory_with_glibc_only() -> None:
    assert keep_freed_memory() == (platform.libc_ver()[0] == "glibc")

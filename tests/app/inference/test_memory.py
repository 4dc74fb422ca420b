import platform

from app.inference.memory import keep_freed_memory


def test_glibc_is_told_to_keep_memory() -> None:
    assert keep_freed_memory() == (platform.libc_ver()[0] == "glibc")

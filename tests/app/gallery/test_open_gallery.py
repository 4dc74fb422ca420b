import pytest

from app.gallery import open_gallery


@pytest.mark.anyio
async def test_an_unknown_kind_of_url_is_refused() -> None:
    with pytest.raises(ValueError, match="Unknown kind of gallery: mysql"):
        await open_gallery("mysql://ada:secret-word@host/gallery")

import pytest

from live.errors import UsageError
from live.output import KINDS, open_output

from .frames import format_of, noise


@pytest.mark.parametrize("address", ["", "virtualcamera", "out.webm", "out", "mp4", "null:", "file:"])
def test_an_unknown_address_names_the_allowed_ones(address):
    with pytest.raises(UsageError) as error:
        open_output(address, format_of(noise(0)))
    assert all(kind in str(error.value) for kind in KINDS if kind not in ("file", "stream"))
    assert ".mkv" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("address", ["http://host/x.mp4", "web://host", "ftp://me:secret@host/x.mp4"])
def test_addresses_of_servers_that_take_no_streams_are_refused_clearly(address):
    with pytest.raises(
        UsageError, match=r"nothing streams to such an address; allowed: .*rtmp://server/app/key"
    ) as error:
        open_output(address, format_of(noise(0)))
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("form", ["{}/a.MP4", "file:{}/a.mov", " {}/a.mkv", "{}/web:1.mkv"])
def test_video_files_are_found_by_their_ending(tmp_path, form):
    output = open_output(form.format(tmp_path), format_of(noise(0)))
    assert str(tmp_path) in output.name
    output.close()

"""Messages hold names of others, and terminals obey control characters."""

from pipeline.errors import UserError, VideoError


def test_a_message_steers_no_terminal() -> None:
    text = "a\x1b[2J\x07 \u202eb\r\udcff\x7f\n  c: walk/日本 é\u200d😀"
    shown = "a\\x1b[2J\\x07 \\u202eb\\r\\udcff\\x7f\n  c: walk/日本 é\u200d😀"
    assert str(UserError(text)) == shown
    assert f"{VideoError(text)}" == shown

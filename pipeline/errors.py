"""What goes wrong in a way that the user can mend."""


class UserError(Exception):
    """Says what was expected, what came, where, and what to do next; shown without a traceback.

    File and class names stand in it, and some are meant to steer the terminal that shows them: what
    has no picture stands there as YAML and Python write it in quotes.
    """

    def __str__(self) -> str:
        """The text, safe to show: of signs without a picture, line breaks alone stay."""
        return "".join(
            sign if sign.isprintable() or sign in "\n\u200c\u200d" else _escaped(sign)
            for sign in super().__str__()
        )


class VideoError(UserError):
    """One video that cannot be used; the run goes on with the others and reports it at the end."""


def _escaped(sign: str) -> str:
    return sign.encode("unicode_escape").decode()

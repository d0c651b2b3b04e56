"""Text that others wrote, made fit for a line of ours."""


def one_line(text: str) -> str:
    """The text without what moves a terminal or breaks a line: each such sign becomes a space.

    Else who sends it could write lines of ours, such as those of a list.
    """
    return "".join(sign if sign.isprintable() else " " for sign in text)

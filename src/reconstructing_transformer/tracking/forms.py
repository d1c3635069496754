"""How numbers of runs are written: one form for tables, prose, files and the terminal, so that they can't differ."""


def score(value: float, decimals: int) -> str:
    """Write a metric with a fixed number of decimals, with a true minus sign."""
    return f"{value:.{decimals}f}".replace("-", "−")


def spread(mean: float, sd: float | None, decimals: int) -> str:
    """Write mean ± standard deviation, with the same decimals; the mean alone where there is no deviation."""
    return score(mean, decimals) if sd is None else f"{score(mean, decimals)} ± {score(sd, decimals)}"


def signed(value: float, decimals: int) -> str:
    """Write a difference, with its sign."""
    return score(value, decimals) if value < 0 else f"+{score(value, decimals)}"


def percent(value: float, decimals: int) -> str:
    """Write a share as a percentage that has the digits of the number with `decimals` decimals."""
    return f"{score(100 * value, max(decimals - 2, 0))}%"


def duration(seconds: float) -> str:
    """Write a time: `4.2 s`, `41 s`, `6 min 56 s`, `2 h 5 min`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min"


def size(count: int) -> str:
    """Write a number of bytes, in decimal units."""
    for unit, power in (("GB", 9), ("MB", 6), ("kB", 3)):
        if count >= 10**power:
            return f"{count / 10**power:.1f} {unit}"
    return f"{count} B"


def one_line(text: str) -> str:
    """Bring a text that came from elsewhere onto one line, without anything that a terminal would obey."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())

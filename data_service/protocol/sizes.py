"""Numbers of bytes as people read them: in binary steps, as HDFS writes them."""

_PREFIXES = "KMGTPE"


def scaled(number: int, unit: str = "", decimals: int = 1) -> str:
    """A size in binary steps: `999`, `1.0 K`, `512 M`; with a unit `1.97 TB`."""
    if number < 0:
        return "-" + scaled(-number, unit, decimals)
    step = 0
    while step < len(_PREFIXES) and number >= 1 << 10 * (step + 1):
        step += 1
    if not step:
        return f"{number} {unit}".rstrip()
    if number % (1 << 10 * step) == 0:
        digits = str(number >> 10 * step)
    else:
        digits = half_up(number, 1 << 10 * step, decimals)
        if digits.startswith("1024") and step < len(_PREFIXES):
            step += 1
            digits = half_up(number, 1 << 10 * step, decimals)
    return f"{digits} {_PREFIXES[step - 1]}{unit}"


def half_up(numerator: int, denominator: int, decimals: int) -> str:
    """A quotient in decimals, a half rounded up (Python's own formatting rounds it to even)."""
    shift = 10**decimals
    value = (2 * numerator * shift + denominator) // (2 * denominator)
    if not decimals:
        return str(value)
    return f"{value // shift}.{value % shift:0{decimals}d}"

"""Quantities of Kubernetes, such as ``2Gi`` and ``250m``."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal, InvalidOperation

_SUFFIXES = {
    "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50,
    "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15,
}  # fmt: skip
_MEBIBYTE = 2**20
_MEBIBYTES_PER_GIBIBYTE = 2**10


def bytes_of(quantity: str | int | None) -> int | None:
    """Whole bytes, rounded up; None if it is empty or not a quantity of bytes."""
    number, factor = str(quantity or "").strip(), Decimal(1)
    for suffix, value in _SUFFIXES.items():
        if number.endswith(suffix):
            number, factor = number.removesuffix(suffix), Decimal(value)
            break
    try:
        found = Decimal(number) * factor
    except InvalidOperation:
        return None
    return int(found.to_integral_value(ROUND_CEILING)) if found.is_finite() and found >= 0 else None


def memory_quantity(size: int) -> str:
    """So many bytes as a quantity that a person would write: whole Gi or Mi, rounded up."""
    count = -(-size // _MEBIBYTE)
    whole, rest = divmod(count, _MEBIBYTES_PER_GIBIBYTE)
    return f"{whole}Gi" if whole and not rest else f"{count}Mi"

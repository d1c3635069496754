"""What a card says in words."""

from pathlib import Path

import pytest

from reconstructing_transformer.equations import CheckResult
from reconstructing_transformer.sphinx.card import power_of_ten, proof_sentence


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (4.4e-16, "4.4 × 10⁻¹⁶"),
        (1e-12, "1.0 × 10⁻¹²"),
        (9.96e-10, "1.0 × 10⁻⁹"),
        (0.5, "5.0 × 10⁻¹"),
        (1.0, "1.0 × 10⁰"),
        (2.34e5, "2.3 × 10⁵"),
    ],
)
def test_a_number_is_written_for_readers(number, written):
    assert power_of_ten(number) == written


def result(error: float, reference: str = "torch.nn.functional.scaled_dot_product_attention") -> CheckResult:
    return CheckResult(
        equation="toy2020-1",
        implementation="toys.double",
        reference=reference,
        cases=50,
        max_error=error,
        tolerance=1e-12,
        check="toys.check",
        file=Path("toys.py"),
        line=1,
    )


def in_words(html: str) -> str:
    return html.replace("<wbr>", "").replace("<b>", "").replace("</b>", "")


def test_a_proof_names_reference_error_and_number_of_cases():
    assert in_words(proof_sentence(result(4.4e-16))) == (
        "Agrees with torch.nn.functional.scaled_dot_product_attention to 4.4 × 10⁻¹⁶ on 50 random cases, in this build."
    )


def test_no_error_at_all_is_agreement_to_the_last_bit():
    assert "to the last bit" in in_words(proof_sentence(result(0.0)))
    assert "10" not in in_words(proof_sentence(result(0.0)))


def test_a_long_dotted_name_may_break_at_its_dots():
    assert "torch.<wbr>nn.<wbr>functional.<wbr>scaled_<wbr>dot" in proof_sentence(result(0.0))


def test_a_reference_is_text_not_markup():
    assert "<script>" not in proof_sentence(result(0.0, "<script>"))

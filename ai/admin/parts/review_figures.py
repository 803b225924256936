"""What a queue's page says of its answers: rates, how many more reviews would narrow them, and who agrees with whom."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from ai.admin.parts import review_filling
from ai.models import ReviewQueue
from ai.services.reviews import figures
from ai.services.reviews.figures import Agreement

#: Half of an interval that somebody may want, in per cent.
MARGINS = (2, 5, 10)
USUAL = 5


def context(request: HttpRequest, row: ReviewQueue) -> dict[str, Any]:
    """For leads: what `templates/admin/ai/reviewqueue/figures.html` needs. `?margin=` is one of `MARGINS`."""
    given = request.GET.get("margin", "")
    margin = int(given) if given in map(str, MARGINS) else USUAL
    found = figures.findings(queue_id=row.pk)
    agreements = figures.agreements(queue_id=row.pk) if row.reviews_per_item > 1 else []
    return {
        "findings": [(each, figures.more_for(each, row, margin=margin / 100)) for each in found],
        "is_of_all": figures.is_of_all(row),
        "margin": margin,
        "margins": MARGINS,
        "agreements": agreements,
        "pairs": _pairs(agreements),
    }


def _pairs(agreements: list[Agreement]) -> list[dict[str, Any]]:
    """Cohen's kappa of each two reviewers who share items, question by question."""
    names = review_filling.names({who for each in agreements for pair in each.kappas for who in pair})
    return [
        {"people": " and ".join(names.get(who, who) for who in pair), "question": each.question.text, "kappa": kappa}
        for each in agreements
        for pair, kappa in each.kappas.items()
    ]

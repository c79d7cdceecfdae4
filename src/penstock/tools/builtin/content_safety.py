"""Azure AI Content Safety: is this text acceptable?"""

from collections.abc import Mapping
from typing import Any

from penstock.connections.kinds import AzureContentSafetyConnection
from penstock.errors import ToolError
from penstock.tools.builtin.http import Answer, exchange

# The severity (0, 2, 4 or 6) from which a text is rejected; None: never.
THRESHOLDS: Mapping[str, int | None] = {
    "disable": None,
    "low_sensitivity": 6,
    "medium_sensitivity": 4,
    "high_sensitivity": 2,
}


async def analyze_text(
    connection: AzureContentSafetyConnection,
    text: str,
    hate_category: str = "medium_sensitivity",
    sexual_category: str = "medium_sensitivity",
    self_harm_category: str = "medium_sensitivity",
    violence_category: str = "medium_sensitivity",
) -> dict[str, Any]:
    """What to do with ``text``.

    Each category is one of ``disable``, ``low_sensitivity``, ``medium_sensitivity``, ``high_sensitivity``.

    Returns:
        ``{"suggested_action": A, "action_by_category": {"Hate": A, "SelfHarm": A, "Sexual": A, "Violence": A}}``, each
        A being ``Accept`` or ``Reject``.

    Raises:
        ToolError: An unknown sensitivity (code ``AzureContentSafetyInputValueError``), or a service that refused,
            failed or left a category out (code ``AzureContentSafetySystemError``).
    """
    wanted = {
        "Hate": _threshold("hate_category", hate_category),
        "SelfHarm": _threshold("self_harm_category", self_harm_category),
        "Sexual": _threshold("sexual_category", sexual_category),
        "Violence": _threshold("violence_category", violence_category),
    }
    answer = await exchange(
        "Azure AI Content Safety",
        "POST",
        f"{connection.endpoint.rstrip('/')}/contentsafety/text:analyze",
        params={"api-version": connection.api_version},
        headers={"Ocp-Apim-Subscription-Key": connection.api_key},
        body={"text": text, "blocklistNames": []},
        secret=connection.api_key,
    )
    found = _result(answer)
    actions = {}
    for category, threshold in wanted.items():
        severity = _severity(found, category)
        actions[category] = "Reject" if threshold is not None and severity >= threshold else "Accept"
    blocked = found.get("blocklistsMatch") or found.get("blocklistsMatchResults")
    rejected = bool(blocked) or "Reject" in actions.values()
    return {"suggested_action": "Reject" if rejected else "Accept", "action_by_category": actions}


def _threshold(name: str, sensitivity: Any) -> int | None:
    value = str(getattr(sensitivity, "value", sensitivity))
    if value not in THRESHOLDS:
        listed = ", ".join(THRESHOLDS)
        raise ToolError(f"{name} must be one of {listed}, not {value!r}.", code="AzureContentSafetyInputValueError")
    return THRESHOLDS[value]


def _result(answer: Answer) -> dict[str, Any]:
    data = answer.json
    if answer.status == 200 and isinstance(data, dict):
        return data
    told = data.get("error") if isinstance(data, dict) else None
    detail = told.get("message") if isinstance(told, dict) else None
    raise ToolError(
        f"Azure AI Content Safety answered with status {answer.status}: {detail or answer.text[:500]}",
        code="AzureContentSafetySystemError",
    )


def _severity(found: Mapping[str, Any], category: str) -> int:
    # From api-version 2023-10-01 on a list of categories; before that one key for each.
    listed = {one.get("category"): one for one in found.get("categoriesAnalysis") or ()}
    one = listed.get(category) or found.get(f"{category[0].lower()}{category[1:]}Result") or {}
    if not isinstance(one.get("severity"), int):
        raise ToolError(
            f"Azure AI Content Safety said nothing about the category {category!r}.",
            code="AzureContentSafetySystemError",
        )
    return int(one["severity"])

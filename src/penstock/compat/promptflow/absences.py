"""Names that flow code may import and cannot use: they say so when they are used, not when they are imported."""

from __future__ import annotations

from penstock.compat.promptflow.exceptions import Absent

AzureClient = Absent(
    "promptflow.azure.PFClient",
    "It submits runs to an Azure workspace; run them here with `penstock run create` or promptflow.client.PFClient.",
)
FlowExecutor = Absent(
    "promptflow.executor.FlowExecutor", "Call the flow as a function: promptflow.client.load_flow(folder)."
)
FlowValidator = Absent("promptflow.executor.FlowValidator", "Run `penstock flow validate` instead.")
BatchEngine = Absent("promptflow.batch.BatchEngine", "Run the flow over data with promptflow.client.PFClient().run(…).")
BatchResult = Absent("promptflow.batch.BatchResult", "PFClient().run(…) returns the run.")
evals_evaluate = Absent(
    "promptflow.evals.evaluate", "Run an evaluation flow over the run: PFClient().run(flow, run=…)."
)

"""What prompt flow's command line has and Penstock's has not: one sentence each, with what to use instead."""

from __future__ import annotations

NOUNS = {
    "tool": "`tool` is not part of Penstock: a tool is a Python function with @tool in the flow's folder, and"
    " `penstock flow show` lists what a flow calls.",
    "trace": "`trace` is not part of Penstock yet: every call is kept with its run, and `penstock run visualize` shows it.",
    "service": "`service` is not part of Penstock: nothing here needs a service in the background.",
    "experiment": "`experiment` is not part of Penstock yet: chain runs with `penstock run create --run NAME`.",
    "upgrade": "Penstock does not upgrade itself: use `pip install --upgrade penstock`.",
}

VERBS = {
    ("flow", "serve"): "`flow serve` is not part of Penstock yet: call the flow from Python, penstock.load(PATH)(…).",
    (
        "flow",
        "build",
    ): "`flow build` is not part of Penstock yet: a flow is its folder; install penstock where it runs.",
    (
        "flow",
        "save",
    ): "`flow save` is not part of Penstock yet: it makes flow.flex.yaml; for a graph around a function use"
    " `penstock flow init --flow DIR --entry FILE --function NAME`.",
    ("run", "build"): "`run build` is not part of Penstock yet: `penstock run export` writes a run's folder.",
    ("run", "cancel"): "`run cancel` is not part of Penstock: Ctrl-C ends a run, and `penstock run create --resume-from"
    " NAME` takes it up again.",
    ("run", "download"): "`run download` is for runs in a cloud workspace, which are not part of Penstock.",
    (
        "flow",
        "create",
    ): "`flow create` is for a cloud workspace, which is not part of Penstock; use `penstock flow init`.",
    ("flow", "update"): "`flow update` is for a cloud workspace, which is not part of Penstock; edit the flow's files.",
    ("flow", "list"): "`flow list` is for a cloud workspace, which is not part of Penstock; flows are folders.",
}

_CLOUD = " names a cloud workspace; Penstock runs on this machine and has none: leave it out."

FLAGS = {
    "--ui": "--ui is not part of Penstock yet: chat in the terminal with --interactive, and see runs with"
    " `penstock run visualize`.",
    "--experiment": "--experiment is not part of Penstock yet: test the experiment's flows one by one.",
    "--engine": "--engine belongs to `flow serve`, which is not part of Penstock yet.",
    "--subscription": "--subscription" + _CLOUD,
    "-g": "-g" + _CLOUD,
    "--resource-group": "--resource-group" + _CLOUD,
    "-w": "-w" + _CLOUD,
    "--workspace-name": "--workspace-name" + _CLOUD,
    "--runtime": "--runtime" + _CLOUD.replace("workspace", "runtime"),
}

"""Every sentence a visitor reads. Knows how to say numbers, not how to find them."""

from __future__ import annotations

from engine import Backbone, Curve, Plan, Scoreboard, Stage, Task, Verdict

TITLE = "Head Start"
QUESTION = "What does pretraining buy you? Two real trainings, side by side, live."

NAMES = {"scratch": "From scratch", "transfer": "Pretrained"}

CONTROLS = {
    "examples": ("Training pictures per class", "Fewer pictures: a bigger head start."),
    "learning": ("What the pretrained network may change", "Left: only the new head learns. Right: every stage does."),
    "budget": ("Both racers get the same number of", "Epochs: equal looks at the pictures. Seconds: equal compute."),
    "epochs": ("Epochs", "One epoch is one look at every training picture."),
    "seconds": ("Seconds", "Compute time for each racer; evaluation is not counted."),
    "scratch_rate": ("Learning rate from scratch", "Peak; it warms up, then falls along a cosine."),
    "head_rate": ("Learning rate of the new head", "The head starts from nothing, so it may move fast."),
    "scratch_optimizer": ("Optimizer from scratch", "The pretrained racer uses AdamW."),
    "depth_factor": ("Rate from stage to stage", "Each stage further down learns at this share of the rate above it."),
    "head_share": ("Head first", "Share of the race in which only the new head learns, before anything is unfrozen."),
    "backbone_rate": ("Learning rate of unfrozen stages", "Of the last stage. Too high, and it forgets what it knew."),
    "batch_size": ("Pictures per step", "The batch size of both racers."),
    "augmented": ("Random crops and mirror images", "While stages are frozen, mirror images only: their answers are kept."),
    "seed": ("Seed", "Draws pictures, order and random weights. Same seed and epochs, same curves."),
}
OPTIMIZERS = {"adamw": "AdamW", "sgd": "SGD one-cycle", "muon": "Muon"}
MORE = "More settings"
START, STOP, RESET = "Start the race", "Stop", "Reset"
TABS = {"accuracy": "Accuracy", "loss": "Loss and learning rate"}
AXES = {"epoch": "epochs", "seconds": "seconds", "pictures": "pictures seen"}
AXIS_LABEL = "Horizontal axis"
ACCURACY_AXIS = "held-out pictures named right"
LOSS_AXIS, RATE_AXIS = "training loss", "learning rate"
CHANCE = "guessing"
EXACT, ROLLING = "whole held-out set, 95 % interval", "rolling estimate"
GHOST = "earlier race"
CLEAR = "Clear earlier races"
COPY, COPIED = "Copy link to these settings", "Link copied"
PICTURES = "The drawn training pictures"
NETWORK = "The pretrained network, stage by stage"
FROZEN, LEARNING, NEW = "❄ frozen", "🔥 learning", "🔥 new"
ABOUT = "What is compared, and how"
NOT_STARTED = "The race was not started"

PHASES = {
    "caching": "computing features once",
    "head": "learning the head",
    "training": "learning",
    "fine-tuning": "fine-tuning",
    "done": "finished",
    "stopped": "stopped",
    "diverged": "diverged",
    "failed": "failed",
}

# What the script on the page says by itself
SCRIPT = {
    "recorded": "RECORDED · {machine} · {date} · press Start for a real race here",
    "connecting": "Connecting …",
    "lost": "The connection is lost; trying again …",
    "gone": "This race is no longer kept here. Start a new one.",
    "watching": "You are watching another visitor's race.",
    "starting": "Getting ready …",
    "stopped": "Stopped before it began",
    "queued": "Number {place} in the queue, about {wait} s to wait. Watching the race that is on.",
    "left": "about {seconds} s left",
    "live": "LIVE",
    "done": "finished",
}


def percent(share: float) -> str:
    """A share as whole percent."""
    return f"{100 * share:.0f} %"


def learning_choice(count: int, stages: tuple[Stage, ...]) -> str:
    """What learns, in words, for a number of learning stages counted from the head."""
    if count <= 1:
        return "Feature extraction: the backbone is frozen ❄, only the new head learns 🔥"
    if count >= len(stages):
        return "Fine-tuning everything: head first, then all stages 🔥 at a low rate"
    top = ", ".join(s.name for s in stages[-count:])
    return f"Fine-tuning the top: {top} learn 🔥, the stages below are frozen ❄"


def cost(seconds: float) -> str:
    """About how long a race will take."""
    if seconds < 100:
        return f"About {max(5, 5 * round(seconds / 5))} s here"
    return f"About {round(seconds / 60)} minutes here"


def pictures_caption(plan: Plan, classes: int) -> str:
    """How many pictures were drawn."""
    return f"{plan.examples} of each of {classes} classes, {plan.examples * classes} in all. The first few of each:"


def headline(board: Scoreboard) -> str:
    """Who leads and by how much, or how it came out, in one sentence."""
    if board.finished:
        return verdict(board.verdict(), board)
    gap = board.gap
    if gap is None:
        return "The racers are getting ready"
    points = round(100 * abs(gap))
    if points == 0:
        return "Neck and neck"
    return f"{NAMES['transfer' if gap > 0 else 'scratch']} leads by {points} point{'s' if points > 1 else ''}"


def verdict(end: Verdict, board: Scoreboard) -> str:
    """The outcome of a finished race in one sentence, no surer than the numbers allow."""
    if end.outcome == "unfinished":
        stopped = [c for c in board.curves.values() if c.finished and c.finished.reason != "done"]
        ends = {c.finished.reason for c in stopped if c.finished}
        if ends == {"stopped"}:
            return "Stopped before the end: no verdict"
        message = next((c.finished.message for c in stopped if c.finished and c.finished.reason != "stopped"), "")
        return f"No verdict: {message}"
    points = abs(round(100 * end.gap))
    if end.outcome == "close":
        return f"Too close to call: a gap of {points} point{'s' * (points != 1)} could be the luck of this draw"
    name = NAMES["transfer" if end.outcome == "transfer" else "scratch"]
    return f"{name} wins by {points} points"


def detail(board: Scoreboard) -> str:
    """How sure the verdict is, in one line; empty before there is one."""
    end = board.verdict()
    if end.outcome == "unfinished":
        return ""
    low, high = (f"{100 * share:+.0f}" for share in (end.low, end.high))
    least = f"{100 * end.threshold:.0f}"
    return f"95 % interval of the gap: {low} to {high} points. Below {least} points, another draw could turn it."


def target_time(curve: Curve, target: float) -> str:
    """How long a racer took to a share, or that it has not come there."""
    seconds = curve.time_to(target)
    return "–" if seconds is None else f"{seconds:.1f} s"


def about(backbone: Backbone, task: Task) -> str:
    """What exactly runs, for those who ask."""
    return f"""
**The pretrained racer** is a {backbone.description}; its head is new. **The racer from scratch** is the same \
architecture with random weights. Both get the same {task.training} × {len(task.classes)} pictures to draw from \
({task.title}: {task.about[0].lower()}{task.about[1:]}, {task.licence}), in the same order, mirrored alike, and with \
the same random crops. While stages are frozen, their racer sees whole pictures instead of crops, as they are or mirrored: \
so much can be computed once and kept.

- **Held-out accuracy** is counted on {task.heldout * len(task.classes)} pictures that neither racer trains on: \
named right, of all. The band is the 95 % Wilson interval. The thin line between the points is a rolling estimate.
- **Compute time** is each racer's own, features computed ahead included, evaluation excluded. Both train at once, each \
with half of the cores.
- **Frozen** stages do not change at all, BatchNorm statistics included. When stages are unfrozen, the head has been \
trained first (LP-FT), and the rate halves at each stage further down.
- **The verdict** compares both racers on the same held-out pictures (McNemar) and stays "too close to call" where \
another draw of training pictures could turn it.
"""

"""Every sentence a visitor reads. Knows how to say numbers, not how to find them."""

from __future__ import annotations

from html import escape

from engine import Backbone, Curve, Plan, Progressed, Scoreboard, Stage, Task, Verdict, wilson

TITLE = "Head Start"
QUESTION = "What does pretraining buy you? Two real trainings, side by side, live."

NAMES = {
    "scratch": "From scratch",
    "transfer": "Pretrained",
    "random": "Random backbone, frozen",
    "frozen": "Pretrained, frozen",
    "top": "Pretrained, top stages",
    "all": "Pretrained, everything",
}

CONTROLS = {
    "task": ("Pictures", "What both networks have to tell apart."),
    "backbone": ("Network", "Both racers have this architecture; one comes pretrained."),
    "px": ("Picture size", "Side in pixels of what the networks see; 0 = what the weights were made for."),
    "extra_lanes": (
        "More racers on the same chart",
        "At most three. Each is a training of its own, so the race takes longer.",
    ),
    "patches": (
        "Patches a side",
        "1 leaves pictures whole. They change places in what the networks see, the same way in every picture.",
    ),
    "inverted": ("Colours inverted, as in a negative", None),
    "label_noise": ("Share of training labels shuffled", "Held-out labels stay right."),
    "normalisation": ("Normalisation", "Where it is not what the weights were made for, their features see glare."),
    "examples": ("Training pictures per class", "Fewer pictures: a bigger head start."),
    "learning": ("What the pretrained network may change", "Left: only the new head learns. Right: every stage does."),
    "budget": ("Both racers get the same number of", "Epochs: equal looks at the pictures. Seconds: equal compute."),
    "epochs": ("Epochs", "One epoch is one look at every training picture."),
    "seconds": ("Seconds", "Compute time for each racer; evaluation is not counted."),
    "scratch_rate": (
        "Learning rate from scratch",
        "Peak; it warms up, then falls along a cosine. 0 = usual for this kind of network.",
    ),
    "head_rate": ("Learning rate of the new head", "The head starts from nothing, so it may move fast."),
    "scratch_optimizer": ("Optimizer from scratch", "The pretrained racer uses AdamW."),
    "depth_factor": ("Rate from stage to stage", "Each stage further down learns at this share of the rate above it."),
    "head_share": ("Head first", "Share of the race in which only the new head learns, before anything is unfrozen."),
    "backbone_rate": (
        "Learning rate of unfrozen stages",
        "Of the last stage. Too high, and it forgets what it knew. 0 = suits the network.",
    ),
    "batch_size": ("Pictures per step", "Of all racers. A small set is taken in at least six steps an epoch."),
    "augmented": ("Random crops and mirror images", "While stages are frozen, mirror images only: their answers are kept."),
    "seed": ("Seed", "Draws pictures, order and random weights. Same seed and epochs, same curves."),
}
OPTIMIZERS = {"adamw": "AdamW", "sgd": "SGD one-cycle", "muon": "Muon"}
NORMALISATIONS = {"own": "the weights' own", "imagenet": "ImageNet's", "symmetric": "−1 to 1", "raw": "raw bytes, 0 to 255"}
MORE = "More settings"
LANES_BOX, BREAK, OWN = "More racers", "Break the transfer", "Your own pictures"
PRESET = ("Try one", "Each takes something away that pretraining relies on.")
# title, why, settings
PRESETS: dict[str, tuple[str, str, dict[str, object]]] = {
    "none": ("Nothing broken", "Pictures and labels as they are.", {}),
    "jigsaw": (
        "Jigsaw, 4 × 4",
        "Sixteen patches change places in what the networks see. Edges and textures stay, shapes are gone: "
        "what early stages know still helps.",
        {"patches": 4},
    ),
    "dust": (
        "Single pixels",
        "Every pixel changes its place in what the networks see. No edge is left, so nothing that was learnt from "
        "photographs applies: the head start shrinks or turns into a handicap.",
        {"patches": 512},
    ),
    "negative": (
        "Negative",
        "Colours inverted. Edges are where they were, colours are not: most of the head start survives.",
        {"inverted": True},
    ),
    "labels": (
        "Half the labels shuffled",
        "Half of the training labels are dealt out anew. Good features cannot make up for wrong labels, only soften them.",
        {"label_noise": 0.5},
    ),
    "glasses": (
        "Wrong glasses",
        "Pixels come in as raw bytes, as when preprocessing is forgotten. Frozen stages see glare; "
        "a network from scratch with BatchNorm gets used to it.",
        {"normalisation": "raw"},
    ),
}
FIT = "Make it fit: {what}"
FIT_EPOCHS, FIT_SIZE, FIT_SECONDS = "{epochs} epochs", "{epochs} epochs at {px} px", "{seconds:.0f} s of compute each"
LATER = "How long it takes is told when the machine is free"
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
PICTURE_OF = "training pictures of class {name}"
MORE_CLASSES = "and {count} more classes"
NOT_OFFERED = "{name!r} cannot be raced with here; the lists on the left hold what can"
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

# Choosing pictures and networks
EVERYTHING = "All picture sets and networks"
TASK_COLUMNS = ("Pictures", "Classes", "Training, a class", "Held out", "Licence", "Same classes in ImageNet?", "Here?")
BACKBONE_COLUMNS = ("Network", "Input", "Parameters", "Weights", "Here?")
HERE, NONE_KNOWN = "yes", "none known"
TO_FETCH, TO_FETCH_UNKNOWN = "fetched at the first race, {size}", "fetched at the first race"
AWAY = "not here, and not to be had: {reason}"
LOOKING = "still looking whether it can be had"
NEEDS = "needs the Python package {package}"
YOURS, OWN_WEIGHTS = "{title} (yours)", "{title} (own weights)"

# Pictures of one's own
OWN_ABOUT = (
    "They are kept on this server for you alone, and deleted when it stops, when you press Forget, "
    "or when you bring more than {limit} sets."
)
NOT_CONNECTED = "The page is still connecting; try again in a moment."
FORGET, FORGOTTEN = "Forget my pictures", "Your pictures are deleted."
PRIVATE_FAILURE = "it broke off; why is not told here, because that could name a visitor's own pictures"
OWN_WAY = "Bring them as"
OWN_WAYS = {"zip": "a zip", "classes": "photographs", "hub": "a Hugging Face set"}
ZIP, ZIP_HINT = (
    "A zip with one folder of pictures for each class",
    "train and test (or val) folders are kept apart where there are any.",
)
CLASS_NAME, CLASS_HINT = "Class", "Name it, then add pictures: at least {least} of each class, two classes or more."
FILES, CAMERA = "Pictures of this class", "Or photograph them"
FINISH, EMPTY = "Race on these", "Start over"
NAME_FIRST = "Name the class first."
READY = "Ready to race: {classes} classes, {training} training pictures in the smallest, {heldout} held out ({interval})."
HUB, HUB_HINT, HUB_OPEN = "A set of the Hugging Face Hub", "owner/name@hub", "Open"

WORK = {"download": "Fetching", "survey": "Looking through", "decode": "Decoding"}

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
    "preparing": "Getting the pictures and the network ready",
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


def cost(seconds: float, task: Task) -> str:
    """About how long a race will take, and what has to be fetched first."""
    what = f"{task.size / 1e6:,.0f} MB" if task.size else "something"
    first = "" if task.is_here else f" and {what} to fetch first"
    if seconds < 100:
        return f"About {max(5, 5 * round(seconds / 5))} s here{first}"
    return f"About {round(seconds / 60)} minutes here{first}"


def fit(plan: Plan, before: Plan) -> str:
    """What was changed so that a race fits."""
    if plan.budget != before.budget:
        what = FIT_SECONDS.format(seconds=plan.seconds)
    else:
        what = (FIT_SIZE if plan.px != before.px else FIT_EPOCHS).format(epochs=plan.epochs, px=plan.px)
    return FIT.format(what=what)


def progress(event: Progressed) -> str:
    """How far long work has come: "Fetching a.zip: 23 of 170 MB, 5.1 MB/s, about 29 s left"."""
    scale, unit = (1e-6, "MB") if event.unit == "bytes" else (1.0, "pictures")
    of = f" of {event.total * scale:,.0f}" if event.total else ""
    rate = f", {event.rate * scale:,.1f} {unit}/s" if event.rate > 0 else ""
    left = f", about {event.left:.0f} s left" if event.left >= 1 else ""
    return f"{WORK[event.work]} {event.name}: {event.done * scale:,.0f}{of} {unit}{rate}{left}"


def interval(heldout: int) -> str:
    """How sure so many held-out pictures can make: the widest half of the 95 % interval."""
    low, high = wilson(heldout // 2, heldout)
    return f"±{50 * (high - low):.0f} points"


def added(count: int, name: str) -> str:
    """How many pictures a class of the set being put together has."""
    return f"{count} picture{'s' * (count != 1)} of “{name}”"


def ready(task: Task) -> str:
    """What a set of one's own holds, and how sure it can make."""
    return READY.format(
        classes=len(task.classes), training=task.training, heldout=task.heldout, interval=interval(task.heldout)
    )


def to_fetch(size: int) -> str:
    """That something is fetched, and how much of it."""
    return TO_FETCH.format(size=f"{size / 1e6:,.0f} MB") if size else TO_FETCH_UNKNOWN


def pictures_caption(plan: Plan, task: Task) -> str:
    """How many pictures were drawn, and how many are held out."""
    classes, sure = len(task.classes), interval(task.heldout)
    held = f"{task.heldout:,} are held out for the test ({sure})."
    if not task.is_open:
        return (
            f"{plan.examples} of each of {classes} classes. {held} They can be seen once the set has been opened by a race."
        )
    return f"{plan.examples} of each of {classes} classes, {plan.examples * classes} in all. {held} The first few:"


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
    """What exactly runs, for those who ask; what a visitor named is escaped."""
    overlap = f"\n- **ImageNet** and this task: {escape(task.overlap)}." if task.overlap else ""
    notes = "".join(f"\n- {escape(note)}." for note in task.notes)
    return f"""
**The pretrained racer** is a {backbone.description}; its head is new. **The racer from scratch** is the same \
architecture with random weights. Both draw from the same {len(task.classes)} classes of {task.training} pictures or more \
({escape(task.title)}: {task.about[0].lower()}{task.about[1:]}; licence: {task.licence}), in the same order, \
mirrored alike, and with the same random crops. While stages are frozen, their racer sees whole pictures instead of \
crops, as they are or mirrored: so much can be computed once and kept.

- **Held-out accuracy** is counted on {task.heldout:,} pictures that neither racer trains on: \
named right, of all. The band is the 95 % Wilson interval. The thin line between the points is a rolling estimate.
- **Compute time** is each racer's own, features computed ahead included, evaluation excluded. All train at once, each \
with its share of the cores.
- **Frozen** stages do not change at all, BatchNorm statistics included. When stages are unfrozen, the head has been \
trained first (LP-FT), and the rate halves at each stage further down.
- **The verdict** compares both racers on the same held-out pictures (McNemar) and stays "too close to call" where \
another draw of training pictures could turn it.{overlap}{notes}
"""

"""The commands of the terminal: race, replay, sweep, tasks … Knows options and exit codes; `terminal.py` shows a race."""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import json
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

import engine
from engine import Album, Event, Plan, PlanError, Stamp, UnavailableError, terminal
from engine.plan import read_setting

OK, BAD_SETTING, NOT_HERE, INTERRUPTED = 0, 2, 3, 130


def main(arguments: list[str] | None = None) -> int:
    """Run one command. Returns its exit code: 0 done, 2 a bad setting, 3 not to be had here, 130 interrupted."""
    parsed, rest = _parser().parse_known_args(arguments)
    if rest and parsed.command != "tabletop":
        _parser().error(f"unknown option {rest[0]!r}")
    try:
        return int(parsed.run(parsed, rest) or OK)
    except PlanError as error:
        print(f"engine: {error}", file=sys.stderr)
        return BAD_SETTING
    except engine.HeadStartError as error:
        print(f"engine: {error}", file=sys.stderr)
        return NOT_HERE
    except BrokenPipeError:  # the reader of `--json` has seen enough
        sys.stderr.close()
        return OK
    except OSError as error:
        print(f"engine: {error.filename or 'a file'} cannot be read or written: {error.strerror or error}", file=sys.stderr)
        return NOT_HERE
    except KeyboardInterrupt:
        print("engine: interrupted", file=sys.stderr)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m engine", description="Two real trainings side by side.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    race = commands.add_parser("race", help="race a network from scratch against a pretrained one")
    _plan_options(race)
    race.add_argument("--json", action="store_true", help="print every event as a line of JSON")
    race.add_argument("--record", type=Path, metavar="FILE", help="also write the race to a file that `replay` reads")
    race.add_argument("--take", type=Path, metavar="DIR", help="also make every file there is to take away (see `take`)")
    race.set_defaults(run=_race)

    again = commands.add_parser("replay", help="show a recorded race again")
    again.add_argument("file", type=Path)
    again.add_argument("--speed", type=float, default=4.0, help="times as fast as it happened; 0 = at once")
    again.add_argument("--json", action="store_true", help="print every event as a line of JSON")
    again.set_defaults(run=_replay)

    away = commands.add_parser("take", help="make files of a recorded race: script, report, replay, tables")
    away.add_argument("file", type=Path)
    away.add_argument("dir", type=Path)
    away.add_argument("--only", nargs="+", choices=list(engine.FILES), metavar="KIND", help=", ".join(engine.FILES))
    away.add_argument("--language", choices=list(engine.LANGUAGES), default="en")
    away.add_argument("--notes", default="", metavar="TEXT", help="for the report")
    away.set_defaults(run=_take)

    show = commands.add_parser("gallery", help="make a static page of a folder of replays and recordings")
    show.add_argument("dir", type=Path)
    show.add_argument("--title", metavar="TEXT")
    show.set_defaults(run=_gallery)

    many = commands.add_parser("sweep", help="race several numbers of pictures with several seeds")
    _plan_options(many, without={"examples", "seed"})
    many.add_argument("--examples", type=int, nargs="+", default=[5, 20, 50], metavar="N")
    many.add_argument("--seeds", type=int, default=5, metavar="N", help="seeds 0 … N-1")
    many.add_argument("--json", action="store_true", help="print every race as a line of JSON")
    many.set_defaults(run=_sweep)

    commands.add_parser("tasks", help="the pictures a race can be run on").set_defaults(run=_tasks)
    commands.add_parser("backbones", help="the pretrained networks").set_defaults(run=_backbones)

    learn = commands.add_parser("pretrain", help="make the embedded backbone again")
    learn.add_argument("--images", type=Path, required=True, metavar="DIR", help="Tiny ImageNet: train-*.zip and val.zip")
    learn.add_argument("--teacher", type=Path, metavar="FILE", help="torchvision's MobileNetV2 weights to distil from")
    learn.add_argument("--work", type=Path, default=Path.home() / ".cache" / "headstart" / "pretrain", metavar="DIR")
    learn.add_argument("--out", type=Path, default=Path("assets/backbone"), metavar="DIR")
    learn.add_argument("--epochs", type=int, metavar="N")
    learn.set_defaults(run=_pretrain)

    commands.add_parser("tabletop", help="render the embedded pictures again", add_help=False).set_defaults(run=_tabletop)

    bench = commands.add_parser("bench", help="measure: recipes (tables of what was tried), speed, transfer (your pictures)")
    bench.add_argument("what", choices=("recipes", "speed", "transfer"))
    bench.add_argument("--seeds", type=int, default=5)
    bench.add_argument("--epochs", type=int, default=Plan().epochs, help="transfer: of every race")
    bench.add_argument("--pictures", type=Path, nargs="+", default=[], metavar="PATH", help="transfer: folders or zips")
    bench.add_argument("--weights", nargs="*", default=[], metavar="NAME=FILE:PX:NORMALISATION", help="transfer: networks")
    bench.add_argument("--out", type=Path, default=Path("transfer.jsonl"), metavar="FILE", help="transfer: goes on from it")
    bench.set_defaults(run=_bench)
    return parser


def _plan_options(parser: argparse.ArgumentParser, without: Iterable[str] = ()) -> None:
    for field in dataclasses.fields(Plan):
        if field.name not in without and field.name != "learning_stages":
            option = "--" + field.name.replace("_", "-")
            parser.add_argument(option, dest=field.name, metavar=str(field.default), default=None)
    parser.add_argument(
        "--learn", metavar="head|topK|all", default=None, help="what learns in the pretrained network: head, top2, all …"
    )
    parser.add_argument("--weights", type=Path, metavar="FILE", help="a checkpoint of your own for --backbone")
    parser.add_argument(
        "--weights-normalisation", default="imagenet", metavar="imagenet|symmetric", help="what that checkpoint was made for"
    )


def read_plan(parsed: argparse.Namespace) -> Plan:
    """The plan that the options ask for. Raises PlanError."""
    settings: dict[str, object] = {}
    for field in dataclasses.fields(Plan):
        text = getattr(parsed, field.name, None)
        if isinstance(text, str):
            settings[field.name] = read_setting(field.name, text, type(field.default))
    if parsed.weights is not None:
        architecture = str(settings.get("backbone", Plan().backbone))
        settings["backbone"] = engine.add_backbone(parsed.weights, architecture, 0, parsed.weights_normalisation)
    if "task" in settings:
        settings["task"] = _find_pictures(str(settings["task"]), settings)
    if parsed.learn is not None:
        settings["learning_stages"] = _learning_stages(parsed.learn, str(settings.get("backbone", Plan().backbone)))
    return Plan.from_mapping(settings)


def _find_pictures(text: str, settings: Mapping[str, object]) -> str:
    """The task of this name; a path that is there is looked through and becomes a task of its file's name.

    Of a set of the Hub, "owner/set@hub", as many pictures are fetched as the settings ask for.
    """
    path = Path(text)
    if text.endswith("@hub"):
        examples = settings.get("examples", Plan().examples)
        count = examples if isinstance(examples, int) else Plan().examples
        return _keep(text, terminal.finish(engine.open_set(text, count)))
    if text in engine.task_names() or not (path.exists() or path.suffix == ".zip" or "/" in text):
        return text
    if not path.exists():
        raise UnavailableError("refusal.terminal.path", path=path)
    return _keep(path.name, terminal.finish(engine.survey(path, path.stem)))


def _keep(name: str, album: Album) -> str:
    for note in album.notes:
        print(note, file=sys.stderr)
    return engine.add_task(name, album)


def _learning_stages(text: str, backbone: str) -> int:
    count = len(engine.stages(backbone, 2))
    named = {"head": 1, "all": count} | {f"top{k}": k + 1 for k in range(1, count)}
    if text not in named:
        raise PlanError("refusal.terminal.learn", text=repr(text), names=", ".join(named))
    return named[text]


def _race(parsed: argparse.Namespace, _rest: list[str]) -> int:
    plan = read_plan(parsed)
    machine = engine.this_machine()
    with engine.run_race(plan) as race:
        began = time.monotonic()
        timed: Iterator[tuple[float, Event]] = ((time.monotonic() - began, event) for event in race)
        stamp = Stamp(machine.name, datetime.date.today().isoformat())
        if parsed.record:
            timed = engine.record(timed, parsed.record, stamp)
        kept: list[tuple[float, Event]] = []
        show = terminal.stream if parsed.json else terminal.show
        board = show(kept.append(pair) or pair for pair in timed)  # type: ignore[func-returns-value]
    is_whole = not any(c.finished and c.finished.reason == "failed" for c in board.curves.values())
    if parsed.take:
        record = engine.Record(stamp, kept, race.trained)
        is_whole &= _write(record, parsed.take, engine.can_take(record), "en", "")
    return OK if is_whole else NOT_HERE


def _take(parsed: argparse.Namespace, _rest: list[str]) -> int:
    record = engine.Record(*engine.replay(parsed.file))
    kinds = parsed.only or engine.can_take(record)
    return OK if _write(record, parsed.dir, kinds, parsed.language, parsed.notes) else NOT_HERE


def _write(record: engine.Record, folder: Path, kinds: Iterable[str], language: str, notes: str) -> bool:
    """Write each of these files; returns whether all of them could be made. Why one could not is said, and the next made."""
    folder.mkdir(parents=True, exist_ok=True)
    is_whole = True
    for kind in kinds:
        try:
            name, body = engine.take(kind, record, language, notes)
        except engine.HeadStartError as error:
            print(f"engine: no {kind}: {error}", file=sys.stderr)
            is_whole = False
            continue
        (folder / name).write_bytes(body)
        print(f"{folder / name}  {len(body) / 1e3:,.0f} kB", file=sys.stderr)
    return is_whole


def _gallery(parsed: argparse.Namespace, _rest: list[str]) -> int:
    made = engine.gallery(parsed.dir, parsed.title, pictures=lambda plan, rows: engine.look_at(plan, "heldout", rows))
    for note in made.notes:
        print(note, file=sys.stderr)
    print(f"{made.index}: {made.races} races")
    return OK


def _replay(parsed: argparse.Namespace, _rest: list[str]) -> int:
    stamp, pairs = engine.replay(parsed.file)
    if parsed.json:
        terminal.stream(pairs)
    else:
        print(f"RECORDED on {stamp.machine}, {stamp.date}")
        terminal.show(terminal.paced(pairs, parsed.speed))
    return OK


def _sweep(parsed: argparse.Namespace, _rest: list[str]) -> int:
    from engine.sweep import Raced, summarise, sweep

    plan = read_plan(argparse.Namespace(**{**vars(parsed), "examples": str(max(parsed.examples))}))
    for count in parsed.examples:
        engine.check(dataclasses.replace(plan, examples=count))
    races: dict[int, list[Raced]] = {}
    total, began = len(parsed.examples) * parsed.seeds, time.monotonic()
    for done, raced in enumerate(sweep(plan, parsed.examples, range(parsed.seeds)), 1):
        races.setdefault(raced.plan.examples, []).append(raced)
        if parsed.json:
            print(json.dumps(dataclasses.asdict(raced)), flush=True)
        else:
            left = (time.monotonic() - began) / done * (total - done)
            print(
                f"{done}/{total}  {raced.plan.examples:4d} a class, seed {raced.plan.seed}: scratch {raced.scratch:.1%}, "
                f"transfer {raced.transfer:.1%}, {raced.wall_seconds:.0f} s  ({left:.0f} s left)",
                flush=True,
            )
    if not parsed.json:
        print("\n| a class | from scratch | pretrained | gap | races |\n|---|---|---|---|---|")
        for count, raced_all in races.items():
            s = summarise(raced_all)
            print(
                f"| {count} | {s.scratch:.1%} ± {s.scratch_sd:.1%} | {s.transfer:.1%} ± {s.transfer_sd:.1%} "
                f"| {s.gap:+.1%} ± {s.gap_sd:.1%} | {s.seeds} |"
            )
    return OK


def _tasks(_parsed: argparse.Namespace, _rest: list[str]) -> int:
    grid = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("task", "pictures", "classes", "training", "held-out", "licence", "here", "overlap with ImageNet"):
        grid.add_column(column, overflow="fold")
    for name in engine.task_names():
        task = engine.find_task(name)
        size = f"{task.size / 1e6:,.0f} MB to fetch" if task.size else "to fetch"
        state = "yes" if task.is_here else size
        grid.add_row(
            task.name, f"{task.title}: {task.about}", str(len(task.classes)), f"{task.training} a class",
            str(task.heldout), task.licence, state, task.overlap or "none known",
        )  # fmt: skip
    terminal.console().print(grid)
    print("Your own: --task FOLDER or --task FILE.zip, one folder for each class")
    return OK


def _backbones(_parsed: argparse.Namespace, _rest: list[str]) -> int:
    grid = Table(box=None, padding=(0, 2, 0, 0))
    for column in ("backbone", "pretrained network", "input", "parameters", "stages", "here"):
        grid.add_column(column, overflow="fold")
    for name in engine.backbone_names():
        backbone = engine.find_backbone(name)
        facts = engine.stages(name, 10)
        parameters = sum(stage.parameters for stage in facts)
        state = "yes" if engine.weights_are_here(backbone) else f"{backbone.size / 1e6:,.0f} MB to fetch"
        if backbone.remake and state != "yes":
            state = f"missing; `{backbone.remake}` makes it"
        grid.add_row(
            name, backbone.description, f"{backbone.px} px", f"{parameters / 1e6:.1f} M",
            " ".join(stage.name for stage in facts), state,
        )  # fmt: skip
    terminal.console().print(grid)
    print("Your own: --backbone NAME --weights FILE, a state dict as safetensors or in torchvision's layout")
    return OK


def _pretrain(parsed: argparse.Namespace, _rest: list[str]) -> int:
    from engine import pretrain

    recipe = pretrain.Recipe(**({"epochs": parsed.epochs} if parsed.epochs else {}))
    note = TextColumn("{task.fields[note]}")
    bar = Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), note)
    with bar:
        rows = {}
        for event in pretrain.make(parsed.images, parsed.work, parsed.out, recipe, parsed.teacher):
            if isinstance(event, pretrain.Pretrained):
                bar.console.print(f"validation {event.correct}/{event.total} = {event.correct / event.total:.1%}")
                continue
            if event.part not in rows:
                rows[event.part] = bar.add_task(event.part, total=event.total, note="")
            bar.update(rows[event.part], completed=event.done, total=event.total, note=event.note)
            if event.part == "validation":
                bar.console.print(event.note)
    return OK


def _tabletop(_parsed: argparse.Namespace, rest: list[str]) -> int:
    from engine.tabletop.render import main as render

    return render(rest)


def _bench(parsed: argparse.Namespace, _rest: list[str]) -> int:
    from engine.bench import recipes, speed, transfer

    if parsed.what == "transfer":
        return transfer.main(parsed.pictures, parsed.weights, parsed.seeds, parsed.epochs, parsed.out)
    return recipes.main(parsed.seeds) if parsed.what == "recipes" else speed.main()


if __name__ == "__main__":
    sys.exit(main())

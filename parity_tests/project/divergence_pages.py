"""What is made of the catalogue of differences: two pages, and a script for each bug.

``python -m parity_tests.project.divergence_pages`` writes them.
"""

import textwrap
from functools import cache

from convparity.analysis.catalogue.answers import Dies, Raises, text_of
from convparity.analysis.catalogue.chapters import CATALOGUE, CHAPTERS
from convparity.analysis.catalogue.entries.environments import LIBRARIES, NEEDS, SETTINGS
from convparity.analysis.catalogue.entry import KINDS, Demonstration, Divergence
from parity_tests.support.root import ROOT

PAGE = "docs/divergences.md"
UPSTREAM = "docs/upstream.md"
SCRIPTS = "docs/upstream"
COMMAND = "python -m parity_tests.project.divergence_pages"
NOTE = f"<!-- made by `{COMMAND}`: edit analysis/catalogue/entries instead -->"
BUILDS = {"triton": "cuda-build"}  # the environments of tox that have what an entry needs


@cache
def files() -> dict[str, str]:
    """Every generated file: its path in the project, and its text."""
    made = {PAGE: page(), UPSTREAM: upstream()}
    made.update({f"{SCRIPTS}/{each.id}.py": script(each) for each in CATALOGUE if each.bug})
    return made


def prose(text: str) -> str:
    """A sentence whose asterisks are asterisks in Markdown."""
    return text.replace("*", "\\*")


def versions(entry: Divergence, *names: str) -> str:
    """What an entry was seen with."""
    return ", ".join(f"{name} {entry.versions[name]}" for name in names or entry.versions)


# ---------------------------------------------------------------- the page of differences


def page() -> str:
    """Every entry, by chapter, behind a table of all."""
    first = CATALOGUE[0]
    lines = [
        NOTE,
        "",
        "# Differences between PyTorch, Flax and Keras",
        "",
        *textwrap.wrap(
            "What the three frameworks do differently in a convolutional network, each with code "
            "that shows it. The tests run all of it on the installed versions: an entry that is "
            "no longer true turns them red. `convparity divergences WORD` searches the entries, "
            "and runs their code on your versions with `--run`. Bugs are on a page of "
            "their own, too: [upstream.md](upstream.md).",
            100,
        ),
        "",
        f"Seen on {first.date} with {versions(first)}, on Linux, x86-64, CPU.",
        "TensorFlow turns oneDNN on by itself where the processor has AVX512-VNNI or the like;",
        "`TF_ENABLE_ONEDNN_OPTS=1` turns it on everywhere.",
        "Keras is Keras 3 on TensorFlow unless another backend is named; Flax is NNX.",
        "",
        *(f"- **{kind}**: {meaning}" for kind, meaning in KINDS.items()),
    ]
    for chapter in CHAPTERS:
        lines += ["", f"## {chapter.title}", "", "| entry | difference | who | kind |"]
        lines += ["|---|---|---|---|"]
        for each in chapter.entries:
            cells = (f"[{each.id}](#{each.id})", prose(each.title), each.sides, each.kind)
            lines.append(f"| {' | '.join(cells)} |")
    for chapter in CHAPTERS:
        lines += ["", f"# {chapter.title}: entries"]
        for each in chapter.entries:
            lines += ["", *_section(each)]
    return "\n".join(lines) + "\n"


def _section(entry: Divergence) -> list[str]:
    lines = [f"### {entry.id}", "", f"**{prose(entry.title)}.**", ""]
    does = {LIBRARIES[name].title: text for name, text in entry.frameworks.items()}
    lines += [f"- {title}: {prose(text)}" for title, text in does.items()]
    lines += [f"- A right port: {prose(entry.port)}", *_needs(entry), "", *_results(entry)]
    if entry.bug:
        lines += ["", f"A bug: [{entry.id}.py](upstream/{entry.id}.py) shows it by itself."]
    if entry.references:
        lines += ["", _threads(entry)]
    lines += ["", "<details><summary>The code</summary>", ""]
    for each in entry.demonstrations:
        lines += [f"{each.label}:", "", *_block(each), ""]
    return [*lines, "</details>"]


def _needs(entry: Divergence) -> list[str]:
    if not entry.needs:
        return []
    where = f"{NEEDS[entry.needs]}: `tox run -e {BUILDS[entry.needs]}` has it."
    elsewhere = "Elsewhere the tests say that they leave this entry out."
    return [f"- Needs {entry.needs}: {prose(where)} {elsewhere}"]


def _results(entry: Divergence) -> list[str]:
    width = max(len(each.label) for each in entry.demonstrations)
    rows = [f"{each.label:{width}}  {_answer(each)}" for each in entry.demonstrations]
    return ["```text", *rows, "```"]


def _answer(each: Demonstration) -> str:
    right = "" if each.right is None else f"   (right: {text_of(each.right)})"
    return text_of(each.expected) + right


def _block(each: Demonstration) -> list[str]:
    return ["```python", *each.code.splitlines(), f"# {text_of(each.expected)}", "```"]


def _threads(entry: Divergence) -> str:
    named = zip(entry.references, entry.threads, strict=True)
    return "Threads: " + ", ".join(f"[{name}]({address})" for name, address in named)


# ---------------------------------------------------------------- bugs


def upstream() -> str:
    """The entries that are bugs, ready to be reported."""
    bugs = [each for each in CATALOGUE if each.bug]
    lines = [
        NOTE,
        "",
        "# Bugs upstream",
        "",
        *textwrap.wrap(
            "Wrong values, uninitialised memory, or a dead process. Each has a script that needs "
            "the framework alone, or what it names besides: it prints what is expected and what "
            "comes, and `wrong` as long as the bug is there. The tests run them all. The threads "
            "are reports, or the changes that brought or mended a bug; those without have yet to "
            "be reported.",
            100,
        ),
        "",
        "| script | bug | where | threads |",
        "|---|---|---|---|",
    ]
    for each in bugs:
        threads = ", ".join(f"[#{one.rpartition('/')[2]}]({one})" for one in each.threads)
        cells = (
            f"[{each.id}](upstream/{each.id}.py)",
            prose(each.title),
            each.upstream,
            threads or "-",
        )
        lines.append(f"| {' | '.join(cells)} |")
    for each in bugs:
        lines += ["", f"## {each.id}", "", f"**{prose(each.title)}.** {prose(_blamed(each))}"]
        lines += ["", f"- Expected: `{text_of(each.wrong.right)}`"]
        lines += [f"- Comes: `{text_of(each.wrong.expected)}`"]
        lines += [f"- Belongs to: {each.upstream}", *_needs(each)]
        lines += [f"- What convparity does: {prose(each.port)}"]
        lines += [f"- Seen on {each.date} with {_used(each)}"]
        if each.references:
            lines += [f"- {_threads(each)}"]
        lines += ["", f"{each.wrong.name}:", "", *_block(each.wrong)]
    return "\n".join(lines) + "\n"


def _blamed(entry: Divergence) -> str:
    """What the framework does that is wrong, or whose library is."""
    return entry.frameworks[LIBRARIES[entry.wrong.library].framework]


def _used(entry: Divergence) -> str:
    """The versions that matter to the wrong demonstration."""
    needs = [entry.needs] if entry.needs else []
    backend = SETTINGS[entry.wrong.setting].environment["KERAS_BACKEND"]
    names = ("keras", backend) if entry.wrong.library == "keras" else (entry.wrong.library,)
    return versions(entry, *names, *needs)


def script(entry: Divergence) -> str:
    """A stand-alone script that shows a bug and exits with 0."""
    wrong = entry.wrong
    match entry.seen(wrong):
        case Dies():
            imports, ending = ["import subprocess", "import sys"], DEATH
        case Raises():
            imports, ending = [], ERROR
        case _:
            imports, ending = [], VALUE
    environment = dict(SETTINGS[wrong.setting].environment)
    if wrong.library != "keras":
        del environment["KERAS_BACKEND"]
    if environment:
        imports = ["import os", *imports]
    head = [*imports, ""] if imports else []
    if environment:
        head += [f'os.environ["{name}"] = "{value}"' for name, value in environment.items()]
        head += [""]
    lines = [
        f'"""{entry.title}.',
        "",
        *textwrap.wrap(_blamed(entry), 100),
        "",
        f"Seen on {entry.date} with {_used(entry)}, on Linux, x86-64, CPU.",
        *entry.threads,
        '"""',
        "",
        *head,
        f"RIGHT = {text_of(wrong.right)}".replace("'", '"'),
        "",
        "",
        "def shown():",
        '    """The answer of the framework."""',
        *textwrap.indent(wrong.body, "    ").splitlines(),
        "",
        "",
    ]
    return "\n".join(lines) + "\n" + ending.lstrip()


VALUE = """
if __name__ == "__main__":
    got = shown()
    print("expected:", RIGHT)
    print("got:     ", got)
    print("right" if got == RIGHT else "wrong")
"""
ERROR = """
if __name__ == "__main__":
    try:
        got = shown()
    except Exception as error:
        got = f"{type(error).__name__}: {error}"
    print("expected:", RIGHT)
    print("got:     ", got)
    print("right" if got == RIGHT else "wrong")
"""
DEATH = """
if __name__ == "__main__":
    if sys.argv[1:] == ["here"]:
        print(shown())
        sys.exit()
    here = [sys.executable, __file__, "here"]
    run = subprocess.run(here, capture_output=True, text=True)
    died = run.returncode < 0
    print("expected:", RIGHT)
    print("got:     ", f"death by signal {-run.returncode}" if died else run.stdout + run.stderr)
    print("wrong" if died else "right")
"""


def main() -> None:
    """Write them all, and remove the script of a bug that has gone."""
    made = files()
    for path in (ROOT / SCRIPTS).glob("*.py"):
        if str(path.relative_to(ROOT)) not in made:
            path.unlink()
    for name, text in made.items():
        path = ROOT / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(f"wrote {name}")


if __name__ == "__main__":
    main()

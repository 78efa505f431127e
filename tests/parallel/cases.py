# SPDX-License-Identifier: MIT
"""The invocations that compare.py runs: systematic families, then random ones."""

import hashlib
import os
import random
import shlex
from dataclasses import dataclass, field
from itertools import product


@dataclass
class Case:
    name: str
    argv: list
    stdin: bytes = b""
    files: dict = field(default_factory=dict)
    env: dict = field(default_factory=dict)
    sort: bool = False  # jobs may end in any order: compare sorted lines
    differ: str = ""  # the row of docs/parallel-differences.md that allows a difference
    expect: tuple = ()  # what remuda does there: exit status, standard output
    log: str = ""  # and its job log, if that differs

    def digest(self):
        """A short name of what is run, so that a recording of something else is noticed."""
        argv = [os.fsencode(word) for word in self.argv]
        what = repr((argv, self.stdin, self.files, self.env, self.sort))
        return hashlib.sha256(what.encode()).hexdigest()[:12]


class Book:
    """Collects cases and numbers them inside their family."""

    def __init__(self):
        self.cases = []
        self.counts = {}

    def add(self, family, *argv, **details):
        number = self.counts.get(family, 0) + 1
        self.counts[family] = number
        self.cases.append(Case(f"{family}/{number:02}", list(argv), **details))

    def lines(self, family, text, *after, before="", **details):
        """One case per line; a line is words as in the shell."""
        for line in text.strip().splitlines():
            self.add(family, *shlex.split(f"{before} {line}"), *after, **details)


PATHS = shlex.split("""
    a a.b .a .a.b a. a.. a.b.c . .. ... / // /// a/ a// a.b/ /a /a.b /a/b //x //x/y a/b.c a.b/c
    a.b/c.d a.b/.c a/. a/.. ./a ../a.b a/b/ a/b.c/ a//b a//b// /.a /a.b/ '~/x' x.tar.gz ''
    'a b.c d' 'a.b c/d' 'a/b .c' 'a b/' é.ü/ö.ä 'a.
'""")

SPECIAL = ["a b", "it's", "'", "''", "'x'", "x'", '"q"', "$HOME", "`id`", "*", "a\\b", "~", "a;b",
           "&", "|", "é", "\x01", "\t", "a=b", "!", "#", "", "-x", "{}", "{1}", "%", "  lead",
           "trail  ", "a,b", "(", "<>", "\x7f", "^", "new\nline", "\n", "\r", ":", "@", "[a]", "?"]

EACH = "printf '[%s]' {}"


def nul(values):
    return b"".join(os.fsencode(value) + b"\0" for value in values)


def inputs(book):
    """Values in the command line and the order of their combinations."""
    for left, right, link in product(range(3), range(4), (":::", ":::+")):
        book.add("inputs", "-k", "echo", ":::", *"ab"[:left], link, *"123"[:right])
    book.lines("inputs", """
        -k echo ::: a b ::: 1 2 :::+ X Y ::: p q
        -k echo ::: a b :::+ 1 2 :::+ X Y
        -k echo ::: a b ::: 1 2 3 :::+ X Y
        -k echo ::: a ::: b ::: c ::: d e
        -k echo :::+ a b
        -k echo :::
        """)


def input_files(book):
    """Values in files, together with others."""
    files = {"n3": b"1\n2\n3\n", "n2": b"x\ny", "n0": b"", "n1": b"\n"}
    for names in ("n3", "n2", "n0", "n1", "n3 n2", "n0 n2", "n2 n1"):
        all_a = " ".join(f"-a {name}" for name in names.split())
        book.lines("files", f"""
            -k echo :::: {names}
            -k {all_a} echo x
            -k echo :::: {names} ::::+ n2
            -k {all_a} echo '{{2}}-{{1}}' ::: q
            -k echo ::: q r :::: {names}
            """, files=files)
    book.add("files", "-k", "echo", "::::", "-", "n2", files=files, stdin=b"p\nq\n")
    book.add("files", "-k", "-a", "-", "echo", ":::", "1", "2", stdin=b"p\nq\n")


def delimiters(book):
    """Standard input: empty records, last records, delimiters and their escapes."""
    for data in (b"", b"\n", b"a", b"a\n", b"a\nb", b"a\n\nb\n", b"\n\n", b"a\r\nb\r\n",
                 b" a \n\t\n"):
        for option in ([], ["-r"]):
            book.add("stdin", "-k", *option, EACH, stdin=data)
            book.add("null", "-0", "-k", *option, EACH, stdin=data.replace(b"\n", b"\0"))
    for delimiter, data in ((",", b"a,b,,c\n"), ("xy", b"axybxyxyc"), ("\\t", b"a\tb\\tc"),
                            ("\\n", b"a,b\nc\n"), ("\\0", b"a\0b\nc"), ("\\001", b"a\1b\1"),
                            ("\\r\\n", b"a\r\nb\r\n"), ("\\x01", b"a\1b"), (";", b""),
                            ("\\054", b"a,b"), ("a", b"banana")):
        book.add("delimiter", "-k", "-d", delimiter, EACH, stdin=data)
    book.add("delimiter", "-k", "-d,", EACH, ":::", "a,b", "c")
    book.add("delimiter", "-k", "-0", EACH, ":::", "a\nb", "c")
    book.add("delimiter", "-k", EACH, ":::", "a\nb", "c", "")
    book.add("delimiter", "-k", "-d", "", EACH, stdin=b"a\nb\n\n\nc\n\n")
    book.add("delimiter", "-k", "-0", "-d,", EACH, stdin=b"a,b\n")


def paths(book):
    """What the path placeholders give for difficult paths, run and shown."""
    for path in PATHS:
        data = nul([path])
        book.add("paths", "-0", "-k", f"{EACH} {{.}} {{/}} {{//}} {{/.}}", stdin=data)
        book.add("paths", "-0", "-k", "--dry-run", "p {} {.} {/} {//} {/.}", stdin=data)


def placeholders(book):
    """Positions, other spellings, and where a placeholder is added."""
    for text in ("{1} {2} {3}|", "{-1} {-2} {-3}|", "{1.} {2/} {1//} {2/.} {-1/.}", "{}", "{.}",
                 "{/}", "{//} {/.}", "{#} {%} {1}", "{01}", "a{}b{2}c", "{1}{2}{1}", "{3}{4/}|",
                 "{x} {1"):
        for option in ("echo", "--dry-run -n2 p", "--dry-run -N2 p"):
            book.add("places", "-j1", "-k", *option.split(), *text.split(),
                     ":::", "x/a.b", "c", ":::", "y/d.e")
    book.lines("replace", """
        -I@ echo @ a@b {.}
        -I XX echo aXXb
        -I {} echo {} {1}
        -I,, echo
        -I @ echo {#} @
        """, ":::", "p.q", "r s", before="-k")
    book.lines("append", """
        echo
        echo\\; echo
        echo {#}
        echo -
        -k
        {}
        X={}\\; echo $X
        wc -c \\<
        """, ":::", "echo 1", "echo 2; echo 3", before="-k")


def quoting(book):
    """The command text that --dry-run and -v show, for each byte and for mixtures."""
    for start in range(0, 256, 16):
        data = nul([bytes([byte]) for byte in range(max(start, 1), start + 16)])
        book.add("quote", "-0", "-k", "--dry-run", "p {} x{}y", stdin=data)
        book.add("quote", "-0", "-k", EACH, stdin=data)
    for value in SPECIAL:
        book.add("quote", "-0", "-k", "-v", f"{EACH} {{.}}", stdin=nul([value, value + "x"]))
    source = random.Random(1)
    for _ in range(12):
        data = bytes(source.choices(b"'a \\\"$\n\xff\0", k=40))
        book.add("quote", "-0", "-k", "--dry-run", "p {}", stdin=data)
        book.add("quote", "-0", "-k", "-n2", EACH, stdin=data)
    book.add("quote", "-k", "--dry-run", "  echo  {}\tx\n y ", " z", ":::", "a")
    book.add("quote", "-k", "--dry-run", "echo 'a  b' \"c\"", "d;", "e", ":::", "a b")
    book.add("quote", "-k", "--dry-run", ":::", "echo 'a  b' \"c\"", "x y")
    book.add("quote", "-k", "--dry-run", "{}", ":::", "echo 'a  b' \"c\"", "x y")


def groups(book):
    """Several values for one job."""
    for count, option in product("01234", ("-n", "-N")):
        book.lines("groups", f"""
            -k {option} {count} echo {{#}}:
            -k {option} {count} echo {{}} - {{.}}
            -k {option} {count} --dry-run p {{1}} {{3}} {{-1}}
            -k {option}{count} --dry-run p X{{}}Y
            -k {option}{count} --dry-run p
            -k {option} {count} --dry-run p {{}}x{{2}}
            """, ":::", "a.x", "b c", "d", "e.y", "f")
        book.lines("groups", f"-k {option} {count} echo '{{}}|{{2}}|{{3}}' ::: a 'b c' ::: 1 2")


def columns(book):
    """--colsep."""
    tables = (b"a,b,c\n", b" a , b,c \nd,\n,e\n\n", b"a\n", b"", b"x,y\r\nz\r\n", b"p q,r's\n,,\n")
    for table, template in product(tables, ("{2} {1} {3}", "{}", "", "{-1}")):
        book.add("columns", "-k", "--colsep", ",", "--dry-run", "p", *template.split(), stdin=table)
    for option in ("-C,", "-C ,", "--colsep=,"):
        book.lines("columns", f"-k {option} echo {{1}}-{{2}}-{{3}} ::: 1,2 3 ::: a,b c")
    for regex, value in (("\\t", "a\tb"), (" +", "a   b c"), ("[:;]", "a:b;c"), ("\\|", "a|b"),
                         (", *", "a,  b,c"), (";;", "a;;b;c"), ("x*y", "axxyby")):
        book.add("columns", "-k", "-C", regex, f"{EACH[:-2]} {{1}} {{2}} {{3}}", ":::", value, "z")
    book.lines("columns", """
        -k -C, --tag echo {2} ::: 1,2 ' 3 , 4 '
        -k -C, -n2 --dry-run p {1}-{2}-{3}-{4} ::: 1,2 3,4 5
        -k -C, echo {1.} {2/} ::: a.b,c/d e
        -k -C, -r --dry-run p {1}-{2} ::: '' ' ' , a,b
        -k -C, echo {1}-{2} ::: 1,2 3,4 :::+ a,b c
        """)


def links_and_trims(book):
    """--link, --trim and -q."""
    book.lines("more", """
        --link echo ::: a b c ::: 1 2
        --xapply echo ::: a b c ::: 1 2 3 4 ::: x
        --link echo :::: n3 n2
        --link echo {2}-{1} ::: p :::: n3
        --trim l echo '[{}]' '[{.}]' ::: ' a.b ' '  '
        --trim=r --dry-run p {} {/} ::: ' a/b ' '  '
        --trim lr --tag echo {} ::: ' a b '
        --trim rl -n2 --dry-run p {1}x{2} ::: ' a ' ' b ' ' c'
        --trim n -C, --dry-run p {1} {2} ::: ' a , b '
        -q echo 'a  {}' '$x' "it's" ';' ::: 'b  c' "q'q"
        -q --dry-run echo 'a  {}' '$x' "it's" ';' ::: 'b  c' "q'q"
        -q echo ::: 'a b'
        -q printf '[%s]' x {} ::: 'a b'
        --quote printf '[%s]' {1} {2} ::: 'a  b' ::: c
        --delay 0.05 -j2 echo ::: a b c
        """, before="-k", files={"n3": b"1\n2\n3\n", "n2": b"x\ny\n"})


def printing(book):
    """Grouping, --tag and the shown command."""
    bodies = ("true", "printf 'a\\nb'", "printf '\\n\\n'", "printf 'a\\rb\\r\\nc\\n'", "printf x",
              "echo {}; exit 3", "echo one; echo two >&2; echo three",
              "head -c 70000 /dev/zero | tr '\\0' y")
    ways = ("-k", "-k --tag", "-j1 --lb", "-j1 --lb --tag", "-j1 -u", "-k --tagstring <{#}-{}>",
            "-k -v", "-j1 -u -v", "-k -v --tag")
    for way, body in product(ways, bodies):
        book.add("print", *way.split(), f"{body}; : {{}}", ":::", "1", "2 3")
    book.lines("print", """
        -k --tag -n2 echo ::: a b c
        -k --tag echo ::: a b ::: c
        -k --tagstring {2}/{1} echo ::: a ::: b
        -k --tagstring '\\t\\101x' echo ::: a
        -k --tag -N0 echo ::: a
        -k --tag --tagstring q echo ::: a
        -k --tagstring {/.} echo ::: x/y.z
        -k --tagstring '' echo ::: a
        -k --tagstring '' --tag echo ::: a
        -k --tag --dry-run echo ::: a
        -j1 --dry-run -u echo ::: a
        -j1 --dry-run --lb echo ::: a b
        -k --dry-run -v echo ::: a
        -k -t echo ::: a
        -k -vv echo ::: a
        -k --group echo ::: a
        -j1 -u --tag echo ::: a
        -j1 -u -v --tag echo ::: a
        """)


def orders(book):
    """Which job's output comes first."""
    slow = "sleep 0.{}; echo {}a; sleep 0.1; echo {}b"
    book.lines("order", f"""
        -k -j3 '{slow}' ::: 4 1 2
        -k -j2 --lb '{slow}' ::: 5 0
        -j2 '{slow}' ::: 5 1
        -j2 --lb '{slow}' ::: 6 0
        """)
    book.lines("order", "-j4 -u echo ::: a b c d e f g h", sort=True)
    book.lines("order", "-j2 --tag 'echo {}; echo {#}' ::: a b c d e f g h", sort=True)


def joblog(book):
    """The table of jobs."""
    options = ("", "--retries 2", "-N2", "--tag", "-v", "--halt soon,fail=1")
    bodies = ("echo {}", "exit {}", "kill -{} $$", "false", "echo 'a\tb\n' {#}; exit 4")
    for option, body in product(options, bodies):
        book.add("joblog", "-j1", "--joblog", "log", *option.split(), body, ":::", "9", "0", "1")
    book.lines("joblog", """
        -k --joblog log nosuchprogram ::: 1 2
        -k --joblog log /etc/passwd ::: 1 2
        -k --joblog log ./nosuchdir/x ::: 1 2
        -k --joblog log 'nosuchprogram; exit {}' ::: 1 2
        --dry-run --joblog log echo ::: a
        -k --joblog +log echo ::: a b
        --joblog log echo :::
        --joblog=log echo ::: a
        --joblog log2 echo ::: a
        -k --joblog log echo ::: a=b c%
        --joblog no/dir/log echo ::: a
        -u -j1 --joblog log echo ::: a
        -j2 -k --joblog log 'sleep 0.{}' ::: 4 1
        -j2 --joblog log 'sleep 0.{}' ::: 6 1
        -j2 --joblog log --halt now,fail=1 'sleep {}; exit 7' ::: 9 0.3 0
        -j1 --joblog log --timeout 0.4 'sleep {}' ::: 0 8
        -j1 --joblog log --timeout 0.4 'trap "exit 7" TERM; echo a; sleep {}&wait' ::: 8
        """, files={"log": b"old\n"})
    book.lines("joblog", "-j2 --joblog log 'exit {}' ::: 0 1 2 3", sort=True)


def failures(book):
    """Exit statuses and retries."""
    for values in ("", "0", "1", "0 1 255 0", "1 " * 100, "2 " * 101, "3 " * 120):
        book.lines("status", f"-j2 'exit {{}}' ::: {values}")
    book.lines("status", """
        -k 'kill -9 $$; : {}' ::: a b
        -k true ::: a b
        -k false ::: a b
        -k nosuchprogram ::: a b
        -k 'sh -c exit\\ 3' ::: a b
        -k / ::: a b
        -k /etc/passwd ::: a b
        """)
    again = "echo {} >> ran; echo out {#}; echo x >&2; exit {}"
    for retries, way in product("123", ("-j1", "-j1 -u", "-j1 --tag")):
        book.lines("retries", f"{way} --retries {retries} '{again}' ::: 1 0 2")
    book.lines("retries", """
        -j1 --retries 5 'echo {} >> n; echo $(wc -l <n); test $(wc -l <n) -ge 3' ::: a b
        -j2 -k --retries 2 'echo {#} $PARALLEL_SEQ; exit 1' ::: a b c
        """)


def limits(book):
    """--timeout."""
    for limit in ("0.5", "0.01m", "0.5s", "0m0.5s"):
        book.lines("timeout", f"-j1 --timeout {limit} 'echo {{}}; sleep {{}}; echo end' ::: 0 8")
    for limit in ("0", "9", "1h", "1d1h1m1s", "1.5m", "300%"):
        book.lines("timeout", f"-j1 --timeout {limit} echo ::: a b")
    book.lines("timeout", """
        -j1 --timeout 400% 'sleep {}; echo {}' ::: 0.3 0.3 9 0.3
        -j1 --timeout 0.4 --retries 2 'echo {} >> n; sleep 7; echo' ::: a
        """)
    for limit in ("x", "1x", "", "-1", "1,5", "m", "1 s"):
        book.lines("refused", f"--timeout '{limit}' echo ::: a")


def halting(book):
    """--halt."""
    halts = ["never", "0", "1", "2", "-1", "-2", "25%", "100%", "soon,fail,2"]
    halts += [f"{when},{what}={limit}" for when in ("now", "soon")
              for what in ("fail", "success", "done") for limit in "1 2 9 30% 60% 100%".split()]
    for halt in halts:
        book.add("halt", "-j1", "--halt", halt, "echo {}; exit {}", ":::", *"03056")
    for option in ("--halt=-2", "--halt-on-error=2", "--haltonerror=now,fail=1"):
        book.add("halt", "-j1", option, "-k", "--tag", "echo {}; exit {}", ":::", *"3056")
    for halt in ("now,fail=1", "soon,fail=1", "soon,done=1", "now,success=1"):
        book.lines("halt", f"""
            -j1 --halt {halt} --retries 2 'echo {{}}; exit {{}}' ::: 3 0 5
            -j1 --halt {halt} 'echo {{}}; kill -{{}} $$' ::: 9 15
            -j1 --halt {halt} --timeout 0.4 'echo {{}}; sleep {{}}' ::: 9 0
            """)
    body = "test {#} = 1 || sleep 0.3; echo {}; sleep 0.{}; echo {}; exit {}"
    for way, halt in product(("-j2", "-j2 -k", "-j2 --lb"),
                             ("now,fail=1", "soon,fail=1", "now,done=1")):
        book.add("halt", *way.split(), "--halt", halt, body, ":::", "9", "3", "1")
    for halt in ("3", "now", "soon", "now,fail", "now,fail=", "x", "now,x=1", "fail=1",
                 "soon,fail=x", "", "now,fail=1.5", "soon=1", "now,fail=-1"):
        book.add("refused", "--halt", halt, "echo", ":::", "a")


SHOW = "cat; echo \"|{#}\""


def pipes(book):
    """--pipe: where the input is cut."""
    source = random.Random(2)
    kinds = ("", "--recend ;", "--recstart >", "--recend ; --recstart >", "--recend ;;",
             "--recend ", "--recend \\n>", "--recstart \\n")
    for kind, turn in product(kinds, range(12)):
        data = bytes(source.choices(b"ab\n;>" if turn % 2 else b"a;\n", k=source.randint(0, 60)))
        size = f"-N{source.randint(1, 4)}" if turn % 3 == 0 else f"--block={source.randint(1, 30)}"
        words = kind.split(" ") if kind else []
        book.add("pipe", "--pipe", "-k", "-j1", size, *words, SHOW, stdin=data)
    numbers = b"".join(b"%d\n" % number for number in range(1, 4001))
    for block in ("1k", "1K", "0.5k", "100", "1ki", "5000", "1m", "1M"):
        book.lines("pipe", f"--pipe -k -j2 --block {block} wc -c", stdin=numbers)
    for block in ("1", "64", "1k", "8999", "9001", "1M"):
        long = b"x" * 9000 + b"\n" + b"y\n" * 400
        book.lines("pipe", f"--pipe -k -j1 --block {block} wc -c", stdin=long)
    for data in (b"", b"\n", b"a", b"\n\n1\n", b"a\n\n\nb"):
        for option in ("-N1", "-n2", "-N1 -r", "--block 2"):
            book.add("pipe", "--pipe", "-k", "-j1", *option.split(), SHOW, stdin=data)


def pipe_ways(book):
    """--pipe with the other options."""
    book.lines("pipe-ways", """
        --tag cat
        --tagstring {#} cat
        -v cat
        --dry-run cat
        --joblog log cat
        --retries 2 cat
        -j4 cat
        --lb -j1 cat
        -u -j1 cat
        -j3 wc -c
        nosuchprogram
        --halt now,fail=1 -j1 'cat; exit 3'
        --joblog log 'cat; exit 3'
        --retries 2 -j1 'cat; exit 3'
        'cat; echo $PARALLEL_SEQ'
        --rrs 'cat; echo {#}'
        --rrs --recend '' --recstart 2 'cat; echo {#}'
        --rrs -N2 'cat; echo {#}'
        """, before="--pipe -N1 -k", stdin=b"1\n2\n3\n")
    for end in ("\\0", "\\t", "\\r\\n", "\\\\", "\\\"", "\\001", "\\x41"):
        data = b"a\0b\tc\r\nd\\e\"f\x01g\\x41h"
        book.add("pipe-ways", "--pipe", "-N1", "-k", "--recend", end, "cat; echo ,", stdin=data)
    book.add("pipe-ways", "--pipe", stdin=b"1\n")


def surroundings(book):
    """What a job finds around it."""
    book.lines("around", "-j1 'echo $PARALLEL_SEQ $PARALLEL_JOBSLOT {%}' ::: a b",
               env={"PARALLEL_SEQ": "77"})
    book.lines("around", "-j1 'test -n \"$PARALLEL_PID\" && echo $FOO' ::: a", env={"FOO": "x y"})
    book.lines("around", """
        -j1 'cat; echo {}' ::: a b
        -j1 -u 'cat; echo {}' ::: a b
        -j1 -a in 'cat; echo {}' ::: a b
        -j1 --lb 'cat; echo {}' ::: a b
        -j1 'head -c 2; echo {}'
        -k 'cat {} > {}.new; ls' ::: in
        -k 'cat <' ::: 'f g'
        -k 'for i in 1 2; do echo $i {}; done' ::: 'a b' c
        -k 'echo {} | tr a-z A-Z | cat -A && false || echo ok' ::: 'a b'
        -j2 -k 'sleep 0.{}; echo {%} {#}' ::: 6 1 2
        """, stdin=b"foo\nbar\n", files={"in": b"1\n", "f g": b"text"})
    for shell in ("/bin/dash", "/bin/bash"):
        book.lines("around", """
            -k 'echo $0 {}' ::: a
            -k echo ::: 'a\\tb' -n -e
            -k echo -e ::: 'a\\tb'
            """, env={"PARALLEL_SHELL": shell})


def parsing(book):
    """Words, bundles, abbreviations."""
    book.lines("parse", """
        -kj1 echo ::: a b
        -kj 1 echo ::: a b
        -kv echo ::: a b
        -k -j+1 echo ::: a b
        -k -j0 echo ::: a b
        -k --jobs=2 echo ::: a b
        -k --jobs 50% echo ::: a b
        -k --jobs 100% echo ::: a b
        -kP2 echo ::: a b
        -k --max-procs 1 echo ::: a b
        --max-procs=1 echo ::: a b
        -kN2 echo ::: a b c
        -kn2 echo ::: a b c
        -kN2 -n3 --dry-run p x{} ::: a b c
        -kn3 -N2 --dry-run p x{} ::: a b c
        -k --max-args 2 echo ::: a b c
        -k --max-replace-args=2 echo ::: a b c
        -k -- echo ::: a b
        -k -- echo -- {} ::: a b
        echo -k ::: a
        echo --tag ::: a
        -k echo -j x ::: a
        --keep-order --tag echo ::: a b
        --keeporder echo ::: a b
        --keep-o echo ::: a b
        --dry echo ::: a
        --dryrun echo ::: a
        --dr echo ::: a
        --tags x echo ::: a
        --line-buf -j1 echo ::: a b
        --line-buffer -j1 echo ::: a b
        --linebuffer -j1 echo ::: a b
        --ungroup -j1 echo ::: a b
        --jl log echo ::: a
        --hal now,fail=1 false ::: a
        -j9 -j1 --tag --tag echo ::: a
        -k -k -kk echo ::: a b
        --no-run-if-empty -k echo ::: a
        --no-keep-order -j1 echo ::: a
        --will-cite -k echo ::: a
        --colse , echo {2} ::: a,b
        --spreadstdin -k cat
        --retries 0 echo ::: a
        -P 1 --null echo ::: a
        -d : -k echo ::: a:b
        --delimiter=: -k echo ::: a:b
        --delimiter : -k echo ::: a:b
        --verbose echo ::: a
        --plain -k echo ::: a b
        --wd new/sub -k echo ::: a b
        --block 20G --pipe cat
        """)
    settings = {"PARALLEL": "--tagstring 'x  y'"}
    book.lines("parse", "--plain echo ::: a\n--tagstring q echo ::: a", env=settings)
    book.lines("refused", """
        -j-100 echo ::: a
        -j 0% echo ::: a
        -u --group echo ::: a
        --group --lb echo ::: a
        --lb -u echo ::: a
        -a nosuchfile echo
        echo :::: nosuchfile
        -k :::: nosuchfile
        """)


TEMPLATES = (["echo", "{}"], ["echo"], [f"{EACH} {{.}}"], ["echo", "{#}:{}", "{/}"],
             ["echo {}; exit {#}"], ["echo {} | wc -c; false"], ["echo", "{2}", "{1}", "{-1}"],
             ["printf '%s\\n'"], ["echo x{}y >&2; echo {/.}"], ["test {#} -gt 2 && echo {}"])

OPTIONS = ("-v", "--tag", "--tagstring {#}>", "--dry-run", "-n2", "-N2", "-r", "-u", "--lb", "-C,",
           "--joblog log", "--retries 2", "--halt soon,fail=2", "--halt now,fail=3", "--timeout 20")


def some_options(source):
    chosen = source.sample(OPTIONS, source.randint(0, 4))
    if "--lb" in chosen:  # refused with -u; how much it shows of failed attempts is a race
        chosen = [option for option in chosen if option not in ("-u", "--retries 2")]
    return " ".join(chosen).split()


def some_values(source):
    letters = "ab.c/, '\"$\\~=-" + "é\t"
    return ["".join(source.choices(letters, k=source.randint(0, 5))).lstrip("-")
            for _ in range(source.randint(0, 4))]


def some_input(source):
    """The words after the command, and what stands in the standard input."""
    first = some_values(source)
    kind = source.choice(("stdin", "one", "one", ":::", ":::+"))
    if kind == "stdin":
        return [], "\n".join(first).encode() + source.choice((b"", b"\n"))
    second = [kind, *some_values(source)] if kind != "one" else []
    return [":::", *first, *second], b""


def at_random(book):
    """Options, templates and inputs drawn at random."""
    source = random.Random(3)
    for _ in range(200):
        words, stdin = some_input(source)
        template = source.choice(TEMPLATES)
        book.add("random", "-j1", "-k", *some_options(source), *template, *words, stdin=stdin)


def allowed(book, row, status, out, *argv, **details):
    book.add("differ", *argv, differ=row, expect=(status, out), **details)


def different_values(book):
    """Values in the command, with what remuda does instead."""
    values = ["a b", "it's", "x;y"]
    for before, after in (('"', '"'), ("'", "'"), ('"<', '|$0>"'), ('"a\'', '\'"')):
        inside = (before + "{}" + after)[1:-1].replace("$0", "/bin/bash")
        out = "".join(inside.replace("{}", value) + "\n" for value in values).encode()
        allowed(book, "quoted-place", 0, out, "-k", f"echo {before}{{}}{after}", ":::", *values)
    allowed(book, "quoted-place", 0, b"a b\n", "sh -c 'echo \"{}\"'", ":::", "a b")
    allowed(book, "quoted-place", 0, b'p "a b"\n', "--dry-run", 'p "{}"', ":::", "a b")
    for template in ("cat <<E\n{}\nE", "echo `echo {}`", "echo $(({} + 1))", "echo a # {}",
                     "echo a #", "echo ${x:-{}}", "echo \\{}", "echo $'{}'"):
        allowed(book, "refused-place", 255, b"", template, ":::", "1")
    two = ["{1}", "{2}", ":::", "echo", ":::", "a  b"]
    allowed(book, "command-word", 0, b"a  b\n", *two)
    allowed(book, "command-word", 0, b"echo 'a  b'\n", "--dry-run", *two)
    allowed(book, "command-word", 1, b"", "{}", "x", ":::", "echo a")
    allowed(book, "perl-place", 255, b"", "echo {= $_=uc =}", ":::", "a")
    allowed(book, "negative-number", 0, b"[]\n", "echo", "[{-3}]", ":::", "a", ":::", "b")
    allowed(book, "empty-delimiter", 0, b"a\nb\n", "-k", "-d", "", "echo", ":::", "a", "b")
    allowed(book, "input-directory", 255, b"", "-a", ".", "echo")
    allowed(book, "long-line", 0, b"70000\n", "-n1", "printf %s {} | wc -c", stdin=b"x" * 70000)
    allowed(book, "nul-value", 1, b"c\n", "-k", "echo", stdin=b"a\0b\nc\n")
    allowed(book, "newline-path", 0, b"z\n", "-0", "echo {/}", stdin=b"x\ny/z\0")


def different_options(book):
    """Options, with what remuda does instead."""
    for text in ("--nosuchoption echo ::: a", "--ta echo ::: a", "-k -a", "--tag=x echo ::: a",
                 "-j1k echo ::: a", "-j=1 echo ::: a", "-j abc echo ::: a", "-j 1.5 echo ::: a",
                 "--jobs"):
        allowed(book, "usage-text", 255, b"", *text.split())
    for text in ("-N x", "-n 1.5", "-N -1", "--retries x"):
        allowed(book, "no-number", 255, b"", *text.split(), "echo", ":::", "a", "b")
    for option in ("--resume", "--resume-failed"):
        allowed(book, "resume", 255, b"", option, "--joblog", "/dev/null", "echo", ":::", "a")
    allowed(book, "settings", 0, b"a\n", "echo", ":::", "a", env={"PARALLEL": "--tag"})
    allowed(book, "link-after-file", 0, b"1 a\n2 b\n", "-k", "-a", "in", "echo", ":::+", "a", "b",
            files={"in": b"1\n2\n"})
    allowed(book, "colsep-regex", 255, b"", "-C", "(?:,)", "echo", "{2}", ":::", "a,b")
    percent = ["-j1", "--halt", "soon,done=60%"]
    allowed(book, "halt-percent", 0, b"a b\nc\n", *percent, "-n2", "echo", ":::", *"abc")
    allowed(book, "halt-percent", 0, b"a\nb\nc\n", *percent, "echo", stdin=b"a\nb\nc\n")
    for when in ("now", "soon"):
        allowed(book, "halt-done", 0, b"a\nb\n", "-j1", "--halt", f"{when},done=2", "echo", ":::",
                *"abc")
    allowed(book, "pipe-blank-lines", 0, b"a\n\n\nb", "--pipe", "-r", "cat", stdin=b"a\n\n\nb")
    allowed(book, "unread-input", 0, b"", "--pipe", "exit 0", stdin=b"x\n" * 200000)
    log = "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n"
    allowed(book, "pipe-signal", 1, b"1\n", "--pipe", "--joblog", "log", "cat; kill -9 $$",
            stdin=b"1\n", log=log + "1\t0\t9\tcat; kill -9 $$\n")


FAMILIES = (inputs, input_files, delimiters, paths, placeholders, quoting, groups, columns,
            links_and_trims, printing, orders, joblog, failures, limits, halting, pipes,
            pipe_ways, surroundings, parsing, at_random, different_values,
            different_options)


def all_cases():
    book = Book()
    for family in FAMILIES:
        family(book)
    return book.cases

"""SGF, as it comes: read as far as it is a game of Go, else refused in a line."""

import pytest

from penstock.kinds.games.compiled.layout import BLACK, PASS, WHITE
from penstock.kinds.games.points import read_point
from penstock.kinds.games.position import Position, Rules
from penstock.kinds.games.records import MOST_BYTES, read_record, write_record
from projects import REAL


def test_a_game_that_is_written_reads_as_it_was():
    position = Position(Rules(9, 6.5), [(BLACK, read_point("C3", 9)), (BLACK, read_point("G7", 9))])
    for name in ("E5", "D4", "pass", "F4"):
        position.play(read_point(name, 9))
    record = read_record(write_record(position, ("an ]engine\\", "白"), "W+6.5"))
    assert record.replay(Rules(9, 6.5)).moves == position.moves
    assert sorted(record.setup) == sorted(position.setup)
    assert (record.komi, record.winner, record.result) == (6.5, WHITE, "W+6.5")
    assert record.players == ("an ]engine\\", "白")


def test_only_the_main_line_counts():
    record = read_record(b"(;SZ[9]KM[7];B[ee](;W[gc];B[cc])(;W[aa]))")
    assert [point for _, point in record.moves] == [read_point(it, 9) for it in ("E5", "G7", "C7")]


def test_a_pass_is_empty_or_tt():
    record = read_record(b"(;SZ[9];B[];W[tt])")
    assert record.moves == ((BLACK, PASS), (WHITE, PASS))
    assert record.komi is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        b"(;SZ[9];B[ee]",
        b"(;SZ[9];B[ee",
        b"(;SZ[99];B[ee])",
        b"(;SZ[9:7];B[ee])",
        b"(;SZ[9];B[zz])",
        b"(;SZ[9];B[eee])",
        b"(;GM[3]SZ[9];B[ee])",
        b"(;SZ[9]KM[x];B[ee])",
        b"(;SZ[9]KM[nan];B[ee])",
        b"(;SZ[9];B[ee];AW[aa];W[bb])",
        b"(;CA[no-such]SZ[9]PB[x];B[ee])",
        b"(" * 100_000,
        b"\xff\xfe\x00",
        b"(;SZ[9]C[" + b"x" * (10 * 2**20) + b"];B[ee])",
    ],
    ids=lambda it: it[:24].decode("latin1").encode("unicode_escape").decode(),
)
def test_what_is_no_game_of_go_is_refused_in_a_line(content):
    with pytest.raises(ValueError) as refused:
        read_record(content).replay(Rules(9))
    assert len(str(refused.value).splitlines()) == 1
    assert len(str(refused.value)) < 300


def test_variations_nested_thousandfold_are_read():
    deep = b"(;SZ[9];B[ee]" + b"(;W[aa]" * 3000 + b")" * 3001
    with pytest.raises(ValueError, match="move 3"):
        read_record(deep).replay(Rules(9))
    assert len(deep) < MOST_BYTES


def test_an_illegal_move_is_named():
    with pytest.raises(ValueError, match="move 2: white E5: illegal: there is a stone"):
        read_record(b"(;SZ[9];B[ee];W[ee])").replay(Rules(9))
    suicide = b"(;SZ[3]AB[ab][bc][cb][ba];W[bb])"
    with pytest.raises(ValueError, match="move 1: white B2: illegal: suicide"):
        read_record(suicide).replay(Rules(3))
    with pytest.raises(ValueError, match="a board of 3x3; expected 9"):
        read_record(suicide).replay(Rules(9))


@pytest.mark.real
@pytest.mark.skipif(not (REAL / "go").is_dir(), reason="no recorded games in shared/data/go")
def test_games_of_real_programs_and_people_are_legal_to_their_end():
    """Tournament games of 2001 to 2006; dead stones are seldom played out by people."""
    files = sorted((REAL / "go").rglob("*.sgf"))
    counted, same = 0, 0
    for file in files:
        record = read_record(file.read_bytes())
        position = record.replay(Rules(9, record.komi or 0.0))
        ended = len(record.moves) > 1 and [it for _, it in record.moves[-2:]] == [PASS, PASS]
        if ended and record.winner and record.result[2:3].isdigit():
            counted += 1
            same += (position.margin() > 0) == (record.winner == BLACK)
    assert len(files) == 111
    assert counted > 20
    assert same > counted / 2, "others end with dead stones on the board"

"""The codec of step 4: any texts, cut at any places, come out the same."""

import socket
import struct
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marks import own
from tools.harness import STEPS

sys.path.insert(0, str(STEPS[4]))
from framing import MAX_PAYLOAD, FrameError, FrameReader, encode, safe, send_frame

STEP = 4
pytestmark = own
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]))  # all but surrogates


class Pieces:
    """Stands for a connection whose `recv` returns these pieces, one after the other."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = [piece for piece in pieces if piece]

    def recv(self, size: int) -> bytes:
        if not self.pieces:
            return b""
        piece, rest = self.pieces[0][:size], self.pieces[0][size:]
        self.pieces[:1] = [rest] if rest else []
        return piece


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """Cut `data` at these places (modulo its length)."""
    at = sorted({place % (len(data) + 1) for place in places})
    return [data[start:end] for start, end in zip([0, *at], [*at, len(data)], strict=True)]


def receive_each(reader: FrameReader) -> list[str]:
    texts = []
    while (text := reader.receive()) is not None:
        texts.append(text)
    return texts


@given(texts=st.lists(ANY_TEXT), places=st.lists(st.integers(min_value=0)))
def test_any_texts_cut_at_any_places_come_out_the_same(texts, places):
    pieces = cut(b"".join(map(encode, texts)), places)
    assert receive_each(FrameReader(Pieces(*pieces))) == texts


@given(texts=st.lists(ANY_TEXT), places=st.lists(st.integers(min_value=0)))
def test_all_that_has_arrived_is_taken_at_once(texts, places):
    reader = FrameReader(Pieces(*cut(b"".join(map(encode, texts)), places)))
    taken = []
    while reader.fill():
        taken += reader.take_all()
        assert reader.next_frame() is None
    assert taken == texts


@given(texts=st.lists(ANY_TEXT), places=st.lists(st.integers(min_value=0)))
def test_what_came_before_an_error_is_taken_and_then_the_error_is_raised(texts, places):
    wrong = b"".join(map(encode, texts)) + struct.pack("!I", MAX_PAYLOAD + 1)
    reader = FrameReader(Pieces(*cut(wrong, places)))
    taken = []
    while not reader.error:
        reader.fill()
        taken += reader.take_all()
    assert taken == texts
    with pytest.raises(FrameError, match="65537"):
        reader.fill()


@given(data=st.binary(), places=st.lists(st.integers(min_value=0)))
def test_any_bytes_raise_nothing_but_frame_errors(data, places):
    try:
        receive_each(FrameReader(Pieces(*cut(data, places))))
    except FrameError:
        pass


def test_take_never_waits():
    frame = encode("привет")
    reader = FrameReader(Pieces(frame + frame[:-1]))
    assert reader.next_frame() is None
    assert reader.receive() == "привет"
    assert reader.next_frame() is None
    with pytest.raises(FrameError, match="inside a frame"):
        reader.receive()


@given(text=ANY_TEXT)
def test_the_header_is_the_length_of_the_payload_in_four_bytes_big_endian(text):
    payload = text.encode()
    assert encode(text) == struct.pack(">I", len(payload)) + payload


@given(
    texts=st.lists(ANY_TEXT, min_size=1),
    bad=st.sampled_from([b"\xff\xff\xff\xff", b"\0\0\0\1\xff"]),
)
def test_what_came_before_a_bad_frame_is_returned_and_then_the_error_raised(texts, bad):
    reader = FrameReader(Pieces(b"".join(map(encode, texts)) + bad))
    assert [reader.receive() for _ in texts] == texts
    with pytest.raises(FrameError):
        reader.receive()


@given(text=st.text(), left=st.integers(min_value=1, max_value=3))
def test_an_end_inside_a_frame_is_an_error_and_between_frames_the_end(text, left):
    frame = encode(text) if text.isprintable() else encode("x")
    assert receive_each(FrameReader(Pieces(frame))) == [frame[4:].decode()]
    for piece in (frame[:left], frame[: len(frame) - 1]):
        if 0 < len(piece) < len(frame):
            with pytest.raises(FrameError, match="inside a frame"):
                FrameReader(Pieces(piece)).receive()


def test_the_longest_payload_is_65536_bytes_both_ways():
    assert MAX_PAYLOAD == 65_536
    longest = "x" * MAX_PAYLOAD
    assert FrameReader(Pieces(encode(longest))).receive() == longest
    with pytest.raises(FrameError, match="65537"):
        encode(longest + "x")
    with pytest.raises(FrameError, match="65537"):
        FrameReader(Pieces(struct.pack("!I", MAX_PAYLOAD + 1))).receive()


def test_half_of_a_surrogate_pair_harms_nothing():
    assert encode("a\ud800b") == encode("a?b")


def test_a_frame_goes_through_a_real_socket():
    one, two = socket.socketpair()
    with one, two:
        send_frame(one, "привет")
        assert FrameReader(two).receive() == "привет"


HARMLESS = ["привет", "👩‍👩‍👧‍👦 🏳️‍🌈", "נֶפֶש مرحبا", "a\u200bb\u00a0c", "e\u0301"]
HARMFUL = [*map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0)), *"\u2028\u2029\u061c\u200e\u200f"]
HARMFUL += [*map(chr, range(0x202A, 0x202F)), *map(chr, range(0x2066, 0x206A))]


@pytest.mark.parametrize("text", HARMLESS)
def test_harmless_text_stays_as_it_is(text):
    assert safe(text) == text


@pytest.mark.parametrize("char", HARMFUL, ids=lambda char: f"U+{ord(char):04X}")
def test_each_character_that_a_terminal_obeys_is_replaced(char):
    assert safe(f"a{char}b") == ("a b" if char == "\t" else "a\ufffdb")


@given(st.text(st.characters() | st.sampled_from(HARMFUL)))
def test_nothing_a_terminal_would_obey_is_left_and_all_else_is_untouched(text):
    expected = "".join("\ufffd" if char in HARMFUL else char for char in text.replace("\t", " "))
    assert safe(text) == expected

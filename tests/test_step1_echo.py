"""Step 1, echo: bytes out are bytes in, one client at a time."""

import random

import pytest

from fake_server import receive_until
from marks import contract, own

STEP = 1


@contract("talk", "возвращаются те же байты, сколько бы их ни было")
@pytest.mark.parametrize("size", [1, 2, 1000, 65_536, 65_537, 1_000_000])
def test_bytes_out_are_bytes_in(chat, size):
    data = random.Random(size).randbytes(size)
    ann = chat.join("ann")
    ann.send(data)
    assert ann.get_bytes(size) == data


@contract("talk", "порядок байтов сохраняется при любых размерах частей")
def test_the_order_is_kept_whatever_the_sizes_of_the_pieces(chat):
    chance = random.Random(1)
    pieces = [chance.randbytes(chance.choice([1, 2, 3, 100, 5000])) for _ in range(300)]
    ann = chat.join("ann")
    for piece in pieces:
        ann.send(piece)
    assert ann.get_bytes(sum(map(len, pieces))) == b"".join(pieces)


@contract("talk", "клиенту, который читает медленно, возвращается всё (sendall, а не send)")
def test_a_client_that_reads_late_gets_everything(chat):
    ann = chat.connect("ann", reads=False)
    data = random.Random(1).randbytes(12_000_000)
    ann.floods_bytes(data)
    ann.is_held_up()
    ann.start_reading()
    assert ann.get_bytes(len(data)) == data


@contract("leave", "после конца данных (FIN) клиент получает остаток эха, затем конец данных")
def test_after_a_half_close_the_rest_comes_back_and_the_stream_ends(chat):
    ann = chat.join("ann")
    ann.send(b"x" * 500_000)
    ann.half_close()
    assert ann.get_bytes(500_000) == b"x" * 500_000
    assert ann.expect_end() == "the connection was closed"


@contract("leave", "следующий клиент ждёт и обслуживается, когда предыдущий ушёл")
def test_the_next_client_is_answered_when_the_first_has_left(chat):
    ann, bob = chat.join("ann"), chat.join("bob")
    bob.say("hello")
    ann.say("hi")
    ann.expect("hi")
    assert not bob.stream
    ann.leave()
    bob.expect("hello")


@contract("client", "из канала ничего не теряется: всё отправленное возвращается, код возврата 0")
def test_the_client_loses_nothing_of_piped_input_and_exits_with_0(chat, run_client):
    client = run_client(chat)
    client.types("one\n\ntwo")
    client.ends_input()
    assert client.exits() == 0
    assert client.prints("") == "one\n\ntwo\n"
    assert client.stderr() == ""


@contract("client", "пустой ввод: код возврата 0")
def test_the_client_without_input_ends_with_0(chat, run_client):
    client = run_client(chat)
    client.ends_input()
    assert client.exits() == 0
    assert client.prints("") == ""


@contract("client", "много строк и очень длинная строка возвращаются целиком")
@pytest.mark.parametrize(
    "lines",
    ["".join(f"{number} {'x' * 200}\n" for number in range(5_000)), "x" + "ж" * 6_000_000 + "\n"],
    ids=["many", "long"],
)
def test_the_client_prints_all_that_comes_back(chat, run_client, lines):
    chat.story.deadline *= 3  # a long line: seconds on a machine that is busy
    client = run_client(chat)
    client.types(lines)
    client.ends_input()
    assert client.exits() == 0
    assert client.prints("") == lines


@own
def test_the_client_waits_for_the_echo_before_it_reads_the_next_line(run_client, fake):
    client = run_client(fake)
    with fake.accept() as connection:
        client.types("one\ntwo\n")
        assert receive_until(connection, b"\n") == b"one\n"
        connection.sendall(b"one\n")
        assert receive_until(connection, b"\n") == b"two\n"


@contract("client", "сервер закрыл соединение посреди эха: одна строка, код возврата 1")
def test_an_echo_that_is_cut_is_told(run_client, fake):
    client = run_client(fake)
    with fake.accept() as connection:
        client.types("hello\n")
        receive_until(connection, b"hello\n")
        connection.sendall(b"hel")
    assert client.exits() == 1
    assert len(client.stderr().splitlines()) == 1

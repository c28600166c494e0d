"""Step 4, the client in a pipe: nothing is lost, nothing harms a terminal, the end is told."""

import struct

import pytest

from expectations import QUESTION, STOP_TIME, meet_bob
from fake_server import receive_until
from marks import contract, own, posix_only
from tools.harness import Frames

STEP = 4
LIMIT = 65_536

NO_FRAMES = {
    "65537 bytes": struct.pack("!I", LIMIT + 1),
    "an HTTP request": b"GET / HTTP/1.1\r\n\r\n" * 5000,
    "no UTF-8": struct.pack("!I", 2) + b"\xff\xfe",
}


@contract("client", "из канала ничего не теряется, пришедшее выводится, код возврата 0")
def test_the_client_loses_nothing_of_piped_input_and_exits_with_0(chat, run_client):
    bob = chat.join("bob")
    client = run_client(chat)
    client.types("ann\none\ntwo")
    client.ends_input()
    assert client.exits() == 0
    bob.expect("* ann joined", "ann: one", "ann: two", "* ann left")
    assert client.prints("") == f"{QUESTION}\n* welcome, ann\n* online: bob, ann\n* bye\n"
    assert client.stderr() == ""


@contract("client", "--nick отвечает на вопрос об имени; сам вопрос не показывается")
def test_the_option_nick_answers_the_question(chat, run_client):
    bob = chat.join("bob")
    client = run_client(chat, "--nick", "ann")
    client.types("one\n")
    client.ends_input()
    assert client.exits() == 0
    bob.expect("* ann joined", "ann: one", "* ann left")
    assert client.prints("") == "* welcome, ann\n* online: bob, ann\n* bye\n"


@contract("client", "имя из --nick занято: одна строка в stderr, код возврата 1")
def test_a_nick_that_is_refused_is_an_error_and_no_line_becomes_a_nickname(chat, run_client):
    bob = chat.join("bob")
    client = run_client(chat, "--nick", "BOB")
    client.types("one\n")
    assert client.exits() == 1
    assert len(client.stderr().splitlines()) == 1
    chat.join("carl")
    assert not bob.stream


@own
def test_a_nick_that_is_refused_is_not_offered_again(run_client, fake):
    client = run_client(fake, "--nick", "ann")
    with fake.accept() as connection:
        connection.sendall(Frames.encode(QUESTION))
        receive_until(connection, Frames.encode("ann"))
        connection.sendall(Frames.encode("* this nickname is taken") + Frames.encode(QUESTION))
        assert client.exits() == 1
        assert receive_until(connection, b"") == b""
    assert client.prints("") == "* this nickname is taken\n"
    assert "ann" in client.stderr()


@contract("client", "после /quit код возврата 0")
def test_after_quit_the_client_exits_with_0(chat, run_client):
    client = run_client(chat, "--nick", "ann")
    client.types("/quit\n")
    assert client.exits() == 0
    assert client.stderr() == ""


@contract("client", "места нет: причина выводится, код возврата 1")
@pytest.mark.parametrize("nick", [[], ["--nick", "ann"]], ids=["asked", "--nick"])
def test_who_is_refused_reads_why_and_exits_with_1(start, run_client, nick):
    chat = start("--max-clients", "1")
    chat.connect("bob").expect(QUESTION)
    client = run_client(chat, *nick)
    assert client.exits() == 1
    assert "* server is full\n" in client.prints("")
    assert len(client.stderr().splitlines()) == 1


@contract("client", "слишком длинная строка не отправляется и не завершает клиент")
def test_a_line_that_is_too_long_does_not_end_the_client(chat, run_client):
    bob = chat.join("bob")
    client = run_client(chat, "--nick", "ann")
    client.types("x" * (LIMIT + 1) + "\nshort\n")
    bob.expect("* ann joined", "ann: short")
    client.ends_input()
    assert client.exits() == 0


@own
def test_input_that_is_no_utf8_does_not_end_the_client(chat, run_client):
    bob = chat.join("bob")
    client = run_client(chat, "--nick", "ann")
    client.process.stdin.write(b"\xffx\nnext\n")
    client.process.stdin.flush()
    bob.expect("* ann joined", "ann: \ufffdx", "ann: next")
    client.ends_input()
    assert client.exits() == 0


@contract("client", "клиент не выводит ничего, что выполнит терминал, от любого сервера")
@pytest.mark.parametrize("nick", [[], ["--nick", "ann"]], ids=["asked", "--nick"])
def test_the_client_prints_nothing_that_a_terminal_obeys(run_client, fake, nick):
    client = run_client(fake, *nick)
    with fake.accept() as connection:
        connection.sendall(Frames.encode("\x1b[2Jone\ntwo\u202e\x9b\tx"))
        client.prints("\ufffd[2Jone\ufffdtwo\ufffd\ufffd x\n")
        connection.sendall(Frames.encode("* welcome, a\x1bnn") + Frames.encode("\x1bthree"))
        client.prints("* welcome, a\ufffdnn\n")
        client.prints("\ufffdthree\n")


@contract("client", "не кадр от сервера: одна строка в stderr, код возврата 1")
@pytest.mark.parametrize("data", NO_FRAMES.values(), ids=NO_FRAMES)
@pytest.mark.parametrize("nick", [[], ["--nick", "ann"]], ids=["asked", "--nick"])
def test_what_is_no_frame_ends_the_client_with_a_line(run_client, fake, data, nick):
    client = run_client(fake, *nick)
    with fake.accept() as connection:
        connection.sendall(data)
        assert client.exits() == 1
    assert len(client.stderr().splitlines()) == 1
    assert "Traceback" not in client.stderr()


@contract("client", "конец данных внутри кадра: одна строка в stderr, код возврата 1")
def test_the_end_inside_a_frame_ends_the_client_with_a_line(run_client, fake):
    client = run_client(fake)
    with fake.accept() as connection:
        connection.sendall(Frames.encode("hello")[:-1])
    assert client.exits() == 1
    assert len(client.stderr().splitlines()) == 1


@contract("client", "в канале нет ни цвета, ни других управляющих последовательностей")
def test_in_a_pipe_nothing_is_set_apart(chat, run_client):
    client = run_client(chat, "--nick", "client")
    client.prints("* online: client\n")
    bob = meet_bob(chat)
    bob.say("hello")
    client.prints("bob: hello\n")
    assert "\x1b" not in client.prints("")


@own
@posix_only
def test_the_client_ends_although_nobody_takes_the_reason(chat, client_command, run_client):
    no_errors = ["sh", "-c", 'exec "$0" "$@" 2>/dev/full', *client_command]
    client = run_client(chat, "--nick", "client", command=no_errors)
    client.prints("* online: client\n")
    chat.server.process.kill()
    assert client.exits(within=STOP_TIME) == 1

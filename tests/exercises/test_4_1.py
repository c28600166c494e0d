"""Exercise 4.1: step 3 with frames and a word to leave with."""

import struct

import pytest

import test_step4_framing_and_exit as step4
from expectations import QUESTION
from marks import exercise
from properties import cut_character, two_quick_messages
from tools.harness import Chat, Frames

STEP = 4


class FramedChat(Chat):
    """A chat of step 3, where nobody is told who is online; but its messages are frames."""

    @staticmethod
    def dialect_of(step):
        return Frames


@pytest.fixture
def chat(start, story):
    chat = FramedChat(3, start().server, story)
    yield chat
    chat.close()


# What step 4's own tests say of frames and of the exit.
test_a_message_goes_to_all_others = (
    step4.test_a_message_goes_to_all_others_and_not_back_to_its_author
)
test_frames_that_come_byte_by_byte = step4.test_frames_that_come_byte_by_byte_are_put_together
test_quit = step4.test_quit_is_answered_with_bye_and_told_after_all_that_was_said
test_left_is_told_once = step4.test_whoever_leaves_in_whatever_way_is_said_to_have_left_once
test_what_was_sent_before_closing = step4.test_what_was_sent_whole_before_closing_arrives
test_half_close = step4.test_a_half_close_is_answered_like_quit
test_end_inside_a_frame = step4.test_the_end_inside_a_frame_is_answered_with_the_reason


@exercise("два сообщения, отправленные сразу, остаются двумя")
def test_two_quick_messages(chat):
    two_quick_messages(chat)


@exercise("символ, разрезанный пополам, приходит целым")
def test_cut_character(chat):
    cut_character(chat)


@exercise("пустой кадр — ещё не конец данных")
def test_an_empty_frame_is_not_the_end(chat):
    ann, bob = chat.join("ann"), chat.join("bob")
    ann.say("", "hello")
    bob.skip_to("ann: hello")


@exercise("имя, сообщения и /quit одним куском не теряются")
def test_all_in_one_piece(chat):
    ann = chat.join("ann")
    bob = chat.connect("bob")
    bob.late |= {"* ann joined"}  # step 3 tells it after the welcome, which ann has read
    bob.say("bob", "one", "two", "/quit")
    bob.expect(QUESTION, "* welcome, bob", "* bye")
    bob.expect_end()
    ann.expect("* bob joined", "bob: one", "bob: two", "* bob left")


@exercise("имя, которое не подходит, отклоняется, и каждая строка сервера — отдельный кадр")
def test_a_nickname_that_is_wrong(chat):
    ann = chat.connect("ann")
    ann.say("a b")
    ann.expect(QUESTION, "* a nickname has 1 to 32 letters, digits, _ . or -", QUESTION)
    ann.say("ann")
    ann.expect("* welcome, ann")


NO_FRAMES = {
    "65537 bytes": struct.pack("!I", 65_537),
    "4 GB": b"\xff\xff\xff\xff",
    "no UTF-8": struct.pack("!I", 2) + b"\xff\xfe",
}


@exercise("не кадр: строка * ... с причиной, соединение закрывается, * ИМЯ left")
@pytest.mark.parametrize("data", NO_FRAMES.values(), ids=NO_FRAMES)
def test_what_is_no_frame(chat, data):
    ann, bob = chat.join("ann"), chat.join("bob")
    bob.send(Frames.encode("one") + data)
    assert bob.expect_server_line() != "* bye"
    bob.expect_end()
    ann.expect("bob: one", "* bob left")

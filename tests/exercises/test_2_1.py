"""Exercise 2.1: a timer for a silent partner."""

import time

from marks import exercise

STEP = 2
SILENT = "* the other user is silent"
A_WHILE = 2.5  # seconds in which a timer of half a second would strike several times


@exercise("о молчании собеседника сообщают один раз, и снова после его слов")
def test_each_is_told_once_that_the_other_one_is_silent(start):
    chat = start("--silence", "0.5")
    ann, bob = chat.join("ann"), chat.join("bob")
    ann.skip_to(SILENT)
    bob.skip_to(SILENT)
    assert not bob.has_received(SILENT.encode(), within=A_WHILE), "bob узнал о молчании ann дважды"
    ann.say("I am back")
    bob.expect("I am back", SILENT)  # and now she is silent again


@exercise("о молчании не сообщают, пока второго нет или пока он пишет")
def test_nobody_hears_of_silence_who_waits_alone_or_whose_partner_talks(start):
    chat = start("--silence", "2")
    ann = chat.join("ann")
    assert not ann.has_received(SILENT.encode(), within=A_WHILE), "второго участника ещё нет"
    started = time.monotonic()
    bob = chat.join("bob")
    said = 0
    while not bob.has_received(SILENT.encode(), within=0.1):  # ann is silent, bob is not
        bob.say(str(said))
        said += 1
        assert said < 200, "ann молчит, а bob не сообщили"
    assert time.monotonic() - started >= 2, "отсчёт шёл, пока второго участника не было"
    bob.say("the end")
    for number in range(said):
        ann.expect(str(number))
    ann.expect("the end")  # and nothing of a silence of bob's, neither before nor soon after
    assert not ann.has_received(SILENT.encode(), within=0.8), "bob только что писал"

"""Exercise 4.2: /nick."""

from marks import exercise

STEP = 4


def online(peer):
    """Return the nicknames that the server names when somebody asks."""
    peer.say("/who")
    return set(peer.get("* online: ...").removeprefix("* online: ").split(", "))


@exercise("новое имя видят все, и следующие сообщения идут под ним")
def test_all_read_the_new_nickname_and_then_messages_under_it(chat):
    ann, bob = chat.join("ann"), chat.join("bob")
    ann.say("one", "/nick  zoe ", "two")  # in one piece: the order has to be kept
    bob.expect("ann: one", "* ann is now zoe", "zoe: two")
    ann.expect("* ann is now zoe")
    assert online(bob) == {"zoe", "bob"}
    ann.leave()
    bob.expect("* zoe left")
    assert online(bob) == {"bob"}


@exercise("новое имя занято, старое свободно")
def test_the_old_nickname_is_free_and_the_new_one_is_taken(chat):
    ann, bob = chat.join("ann"), chat.join("bob")
    ann.say("/nick zoe")
    for everybody in (ann, bob):
        everybody.expect("* ann is now zoe")
    bob.say("/nick ZOE")
    bob.expect("* this nickname is taken")
    bob.say("/nick Ann")
    for everybody in (ann, bob):
        everybody.expect("* bob is now Ann")


@exercise("об имени, которое не подходит, сообщают только тому, кто его выбрал")
def test_a_nickname_that_does_not_fit_is_refused_to_the_asker_alone(chat):
    ann, bob = chat.join("ann"), chat.join("bob")
    for wrong in ("/nick", "/nick a b", "/nick " + "x" * 33):
        ann.say(wrong)
        ann.expect("* a nickname has 1 to 32 letters, digits, _ . or -")
    ann.say("/nick ANN")  # her own, in other letters
    for everybody in (ann, bob):
        everybody.expect("* ann is now ANN")


@exercise("/help называет команду /nick")
def test_help_names_the_command(chat):
    ann = chat.join("ann")
    ann.say("/help")
    assert "/nick" in ann.get("* commands: ...")

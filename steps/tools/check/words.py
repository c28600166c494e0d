"""All that the checker says, in Russian and in English.

Each text is a pair (Russian, English). A verdict has three of them: what should be on the screen,
the likely cause in terms of the code, and where to read about it.
"""

import itertools

TITLES = {
    "start": ("сервер запускается и принимает подключения", "the server starts and listens"),
    "talk": ("двое видят сообщения друг друга", "two people see each other's messages"),
    "author": ("видно, кто написал сообщение", "a message shows its author"),
    "third": ("третий участник пишет и читает", "a third person hears and is heard"),
    "joined": ("остальные узнают, кто пришёл", "the others learn who came"),
    "left": ("остальные узнают, кто ушёл", "the others learn who went"),
    "silent": ("тот, кто не ввёл имя, никому не мешает", "who types no name keeps nobody back"),
    "idle": ("после ухода клиента сервер не занят", "after a client has gone the server is idle"),
    "survives": ("чат переживает обрыв связи", "the chat survives broken connections"),
    "lines": ("десять строк сразу остаются десятью", "ten lines at once stay ten messages"),
    "letters": ("3000 русских букв приходят целыми", "3,000 Cyrillic letters arrive whole"),
    "stalled": ("зависший получатель никому не мешает", "who stops reading stops nobody"),
    "name": ("занятое имя не выдаётся второй раз", "a name that is taken is refused"),
    "word": ("из чата можно выйти", "there is a way to leave"),
    "stop": ("Ctrl-C останавливает сервер", "Ctrl-C stops the server"),
    "restart": ("сервер сразу запускается снова", "the server starts again at once"),
}

DOING = {
    "starts_server": ("запущен сервер", "the server is started"),
    "starts_server_again": ("сервер сразу запущен снова", "the server is started again at once"),
    "in_chat": ("в чате: {who}", "in the chat: {who}"),
    "joins": ("запускают клиент и вводят имя: {who}", "start a client, type the name: {who}"),
    "starts": ("запускают клиент: {who}", "start a client: {who}"),
    "starts_silent": (
        "{who} запускает клиент и ничего не вводит",
        "{who} starts a client and types nothing",
    ),
    "types": ("набирают: {who}: {text}", "type: {who}: {text}"),
    "empty_line": (
        "{who} нажимает Enter, ничего не набрав",
        "{who} presses Enter and types nothing",
    ),
    "pastes": (
        "{who} вставляет сразу десять строк: от {first} до {last}",
        "{who} pastes ten lines at once: {first} to {last}",
    ),
    "letters": (
        "{who} набирает строку из 3000 русских букв между двумя словами",
        "{who} types a line of 3,000 Cyrillic letters between two words",
    ),
    "floods": (
        "{who} вставляет {size} КБ строк из букв x",
        "{who} pastes {size} KB of lines of x",
    ),
    "killed": (
        "окно клиента {who} закрыто (процесс завершён без предупреждения)",
        "{who}'s window is closed (the process is killed)",
    ),
    "holds_server": (
        "сервер на мгновение приостановлен (SIGSTOP), чтобы строки пришли к нему вместе",
        "the server is held for a moment (SIGSTOP), so that the lines reach it together",
    ),
    "holds_reader": (
        "клиент bob на мгновение приостановлен (SIGSTOP), чтобы сообщения пришли к нему вместе",
        "bob's client is held for a moment (SIGSTOP), so that the messages reach it together",
    ),
    "stops_reading": (
        "клиент {who} приостановлен (SIGSTOP): он подключён, но не читает",
        "{who}'s client is held (SIGSTOP): connected, but not reading",
    ),
    "bare_silent": (
        "кто-то подключился без клиента (как telnet) и ничего не отправляет",
        "somebody connects without a client (as with telnet) and sends nothing",
    ),
    "connect_close": (
        "кто-то дважды подключился и сразу закрыл соединение",
        "somebody connects and closes at once, twice",
    ),
    "connect_reset": (
        "кто-то дважды подключился и сразу разорвал соединение (RST)",
        "somebody connects and resets the connection at once, twice",
    ),
    "tries_words": (
        "{who} пробует слова exit, quit, /quit и другие, пустую строку и Ctrl-D",
        "{who} tries the words exit, quit, /quit and others, an empty line, Ctrl-D",
    ),
    "ctrl_d": ("{who} нажимает Ctrl-D (конец ввода)", "{who} presses Ctrl-D (end of input)"),
    "ctrl_c": ("в окне сервера нажато Ctrl-C", "Ctrl-C is pressed in the server's window"),
    "server_killed": ("сервер завершён принудительно", "the server is killed"),
}

S1 = ("шаг 1, раздел «Почему так»", "step 1, section «Почему так»")
S2 = ("шаг 2, раздел «Почему так»", "step 2, section «Почему так»")
S3 = ("шаг 3, раздел «Почему так»", "step 3, section «Почему так»")
S3_BREAK = ("шаг 3, раздел «Сломайте сами»", "step 3, section «Сломайте сами»")
S4 = (
    "шаг 4, раздел «Ступень 4. Клиент, который перестал читать»",
    "step 4, section «Ступень 4. Клиент, который перестал читать»",
)
S4_FRAMES = ("шаг 4, раздел «Ступень 1. Кадры»", "step 4, section «Ступень 1. Кадры»")
S4_EXIT = (
    "шаг 4, раздел «Ступень 2. Слово для выхода»",
    "step 4, section «Ступень 2. Слово для выхода»",
)

NEWS_JOINED = (
    "На экране {reader} должна появиться строка о том, что {who} теперь в чате, с именем {who}.",
    "{reader}'s screen should tell that {who} is in the chat, by name.",
)
NEWS_LEFT = (
    "На экране {reader} должна появиться строка о том, что {who} больше не в чате, с именем {who}.",
    "{reader}'s screen should tell that {who} has left, by name.",
)
STILL_TALK = (
    "На экране {reader} должна появиться строка {text} от {speaker}.",
    "{reader}'s screen should show {text} from {speaker}.",
)
TEN = (
    "На экране bob должно появиться десять отдельных сообщений, каждое с именем ann.",
    "bob's screen should show ten messages of their own, each with ann's name.",
)
WHOLE = (
    "На экране bob должны появиться все 3000 букв подряд, одним сообщением.",
    "bob's screen should show all 3,000 letters in one message.",
)
GLUE = (
    "TCP передаёт поток байтов, а не сообщения: один вызов recv вернул сразу несколько "
    "сообщений. Нужна граница сообщения (перевод строки или длина перед текстом) и буфер, "
    "из которого берут только целые сообщения.",
    "TCP carries a stream of bytes, not messages: one recv returned several of them. Mark where "
    "a message ends (a line break, or a length before it) and take only whole ones out of a "
    "buffer.",
)

VERDICTS = {
    "start.deaf": (
        ("Сервер должен принимать подключения по TCP.", "The server should listen on TCP."),
        (
            "Сервер работает, но за 8 секунд не начал слушать порт TCP: возможно, нет вызова "
            "listen, программа ждёт ввода или вид сокета другой (нужны AF_INET и SOCK_STREAM).",
            "The server runs, but listens on no TCP port after 8 seconds: perhaps listen is not "
            "called, it waits for input, or the socket is another (AF_INET, SOCK_STREAM needed).",
        ),
        S1,
    ),
    "start.floods": (
        ("Сервер должен принимать подключения по TCP.", "The server should listen on TCP."),
        (
            "Сервер без конца пишет в файл: цикл повторяется без ожидания. Проверка остановила "
            "запись, когда файл вырос до {size} МБ.",
            "The server writes to a file without end: a loop does not wait. The checker has "
            "stopped it at {size} MB.",
        ),
        S1,
    ),
    "start.udp": (
        ("Сервер должен принимать подключения по TCP.", "The server should listen on TCP."),
        (
            "Сервер открыл сокет UDP (SOCK_DGRAM). Для TCP нужен SOCK_STREAM, а затем listen и "
            "accept.",
            "The server has opened a UDP socket (SOCK_DGRAM). TCP needs SOCK_STREAM, then listen "
            "and accept.",
        ),
        S1,
    ),
    "talk.silence": (
        STILL_TALK,
        (
            "Сервер не пересылает сообщения этому участнику, или клиент не читает сокет, пока "
            "ждёт ввода: для чтения нужен отдельный поток выполнения.",
            "The server does not pass messages on to this person, or the client does not read "
            "its socket while it waits for input: reading needs a thread of its own.",
        ),
        S3,
    ),
    "talk.after_enter": (
        STILL_TALK,
        (
            "Сообщение появляется на экране {reader} только после того, как {reader} нажимает "
            "Enter: пока клиент ждёт ввода (input), он не читает сокет. Вызывайте recv в отдельном "
            "потоке выполнения.",
            "The message comes only once {reader} has pressed Enter: while the client waits for "
            "input, it does not read its socket. Call recv in a thread of its own.",
        ),
        S2,
    ),
    "talk.server_ended": (
        STILL_TALK,
        (
            "Сервер завершился, когда подключились клиенты: его последние строки показаны выше.",
            "The server has ended when clients connected: see its last lines.",
        ),
        S3,
    ),
    "author.none": (
        (
            "На экране {reader} рядом с {text} должно стоять имя автора, {speaker}.",
            "{reader}'s screen should show the author's name, {speaker}, beside {text}.",
        ),
        (
            "Сервер пересылает байты как есть и не добавляет к ним имя того, от кого они пришли.",
            "The server passes the bytes on as they are and does not add who sent them.",
        ),
        S3,
    ),
    "author.other": (
        (
            "На экране {reader} рядом с {text} должно стоять имя автора, {speaker}.",
            "{reader}'s screen should show the author's name, {speaker}, beside {text}.",
        ),
        (
            "Имя спрашивают, но до экрана других оно не доходит: клиент его не отправляет или "
            "сервер не хранит его вместе с соединением.",
            "A name is asked for, but others never see it: the client does not send it, or the "
            "server does not keep it with the connection.",
        ),
        S3,
    ),
    "author.reader": (
        (
            "На экране {reader} рядом с {text} должно стоять имя автора, {speaker}, а не "
            "читателя, {reader}.",
            "{reader}'s screen should show the author's name, {speaker}, not the reader's.",
        ),
        (
            "Клиент ставит перед чужим сообщением своё имя, или сервер хранит имя в одной общей "
            "переменной, которую изменил следующий участник.",
            "The client puts its own name before others' messages, or the server keeps the name "
            "in one shared variable, which the next person has changed.",
        ),
        S3,
    ),
    "author.same": (
        (
            "На экранах ann и bob должно быть видно, кто написал: сейчас у всех одна пометка "
            "«{mark}».",
            "The screens should tell who wrote: now everybody has the same mark, «{mark}».",
        ),
        (
            "Пометка одна для всех авторов: сервер не добавляет к сообщению имя отправителя.",
            "The mark is the same for all authors: the server does not add the sender's name.",
        ),
        S3,
    ),
    "third.refused": (
        (
            "Третий клиент должен подключиться и остаться в чате.",
            "A third client should connect and stay.",
        ),
        (
            "Сервер закрыл третье соединение или больше не принимает новые: чат на двоих.",
            "The server has closed the third connection or takes no more: a chat for two.",
        ),
        S3,
    ),
    "third.unheard": (
        STILL_TALK,
        (
            "Сервер не читает третье соединение: accept вызывается не в цикле, или на каждого "
            "участника нет своего потока выполнения.",
            "The server does not read the third connection: accept is not called in a loop, or "
            "there is no thread for each person.",
        ),
        S3,
    ),
    "third.deaf": (
        STILL_TALK,
        (
            "Сервер пересылает сообщение не всем: третьего участника нет в списке для рассылки.",
            "The server does not send to all: the third person is not in its list.",
        ),
        S3,
    ),
    "joined.nothing": (
        NEWS_JOINED,
        (
            "Сервер добавляет участника в список, но ничего не рассылает остальным.",
            "The server adds the person to its list, but tells the others nothing.",
        ),
        S3,
    ),
    "joined.not_who": (
        NEWS_JOINED,
        (
            "Сервер сообщает о подключении до того, как узнал имя, или не вставляет имя в строку.",
            "The server tells of the connection before it knows the name, or leaves the name out.",
        ),
        S3,
    ),
    "joined.late": (
        NEWS_JOINED,
        (
            "Известие приходит только вместе с чьим-то сообщением: сервер рассылает его не при "
            "входе, а при следующей рассылке.",
            "The news comes only when somebody writes: the server sends it with the next message.",
        ),
        S3,
    ),
    "left.nothing": (
        NEWS_LEFT,
        (
            'Конец соединения (recv вернул b"") или ошибка ConnectionResetError не приводит к '
            "рассылке: об уходе говорят только по команде или не говорят совсем.",
            'The end of a connection (recv returned b"") or ConnectionResetError sends nothing '
            "to the others: leaving is told only after a command, or not at all.",
        ),
        S3,
    ),
    "left.not_who": (
        NEWS_LEFT,
        (
            "Сервер сообщает об уходе, но не вставляет имя: запомните имя вместе с соединением.",
            "The server tells that somebody left, but not who: keep the name with the connection.",
        ),
        S3,
    ),
    "left.late": (
        NEWS_LEFT,
        (
            "Сервер замечает уход, только когда пытается отправить сообщение и получает ошибку. "
            'О конце соединения говорит recv: он возвращает b"".',
            "The server notices only when it tries to send and gets an error. recv tells of the "
            'end of a connection: it returns b"".',
        ),
        S3,
    ),
    "silent.talk": (
        STILL_TALK,
        (
            "Пока один участник молчит, стоят все: сервер ждёт его имени (recv) там, где "
            "обслуживает и других, или держит при этом блокировку.",
            "While one person is silent nobody is served: the server waits for the name (recv) "
            "where it serves the others, too, or with a lock held.",
        ),
        S3_BREAK,
    ),
    "silent.newcomer": (
        STILL_TALK,
        (
            "Имя читается (recv) в том же цикле, что и accept: пока один участник не ввёл имя, "
            "новых никто не принимает. Читайте имя в потоке выполнения этого участника.",
            "The name is read (recv) in the loop that calls accept: until one person has typed "
            "it, nobody else gets in. Read it in that person's own thread.",
        ),
        S3_BREAK,
    ),
    "silent.bare.talk": (
        STILL_TALK,
        (
            "Соединение, по которому ничего не приходит, останавливает сервер: он ждёт первых "
            "байтов (recv) там, где обслуживает и других.",
            "A connection that sends nothing stops the server: it waits for the first bytes "
            "(recv) where it serves the others, too.",
        ),
        S3_BREAK,
    ),
    "silent.bare.newcomer": (
        STILL_TALK,
        (
            "Первое сообщение читается (recv) в том же цикле, что и accept: соединение, по "
            "которому ничего не приходит, не пускает в чат новых участников.",
            "The first message is read (recv) in the loop that calls accept: a connection that "
            "sends nothing keeps newcomers out.",
        ),
        S3_BREAK,
    ),
    "idle.spins": (
        (
            "Сервер ждёт и почти не занимает процессор. Сейчас он занимает {load} % "
            "процессорного ядра.",
            "The server waits and uses hardly any processor time. Now it uses {load} % of a core.",
        ),
        (
            'Цикл не заканчивается, когда клиент ушёл: recv снова и снова возвращает b"". '
            "Пустой результат означает конец соединения, здесь нужен break.",
            'The loop goes on when the client has gone: recv returns b"" again and again. An '
            "empty result is the end of the connection: break.",
        ),
        S1,
    ),
    "idle.always": (
        (
            "Сервер ждёт и почти не занимает процессор. Он занимает {load} % процессорного ядра "
            "ещё до того, как кто-то ушёл.",
            "The server waits and uses hardly any processor time. It uses {load} % of a core even "
            "before anybody leaves.",
        ),
        (
            "Какой-то цикл повторяется без ожидания: снова и снова проверяет сокет "
            "(setblocking(False), пустой except), очередь или переменную. Пусть поток выполнения "
            "блокируется в accept, recv или queue.get.",
            "Some loop does not wait: again and again it looks at a socket (setblocking(False), "
            "an empty except), a queue or a variable. Let the thread block in accept, recv or "
            "queue.get.",
        ),
        S1,
    ),
    "idle.prints": (
        (
            "Сервер молчит, пока никто не пишет. Сейчас программы выводят {rate} КБ в секунду.",
            "The server is silent while nobody writes. Now the programs print {rate} KB a second.",
        ),
        (
            'Цикл печатает или рассылает одно и то же без конца: recv возвращает b"" или '
            "ошибку, а цикл не заканчивается.",
            'A loop prints or sends the same thing for ever: recv returns b"" or fails, and the '
            "loop does not end.",
        ),
        S1,
    ),
    "survives.killed": (
        STILL_TALK,
        (
            "После ухода одного участника рассылка обрывается: send ушедшему возбуждает "
            "ошибку, которую никто не обработал, или ушедший остался в списке.",
            "After one person has gone, sending to the others breaks off: send to the one who "
            "has gone raises an error that nobody handles, or they are still in the list.",
        ),
        S3,
    ),
    "survives.closed": (
        STILL_TALK,
        (
            "Соединение, которое сразу закрыли, мешает остальным: ошибка send или recv для него "
            "не обработана.",
            "A connection that is closed at once harms the others: its send or recv fails, and "
            "nobody handles it.",
        ),
        S3,
    ),
    "survives.closed_newcomer": (
        STILL_TALK,
        (
            "Ошибка соединения, которое сразу закрыли, остановила цикл с accept: новых "
            "участников никто не принимает.",
            "The error of a connection that was closed at once has ended the loop with accept: "
            "no newcomer gets in.",
        ),
        S3,
    ),
    "survives.reset": (
        STILL_TALK,
        (
            "ConnectionResetError одного соединения не обработан и мешает остальным.",
            "ConnectionResetError of one connection is not handled and harms the others.",
        ),
        S3,
    ),
    "survives.reset_newcomer": (
        STILL_TALK,
        (
            "ConnectionResetError остановил цикл с accept: новых участников никто не принимает.",
            "ConnectionResetError has ended the loop with accept: no newcomer gets in.",
        ),
        S3,
    ),
    "lines.glued_server": (TEN, GLUE, S4_FRAMES),
    "lines.glued_reader": (TEN, GLUE, S4_FRAMES),
    "lines.lost_server": (
        TEN,
        (
            "Часть сообщений потерялась, нет {text}: несколько сообщений приходят одним recv, и "
            "сервер обрабатывает только одно из них.",
            "Some messages are lost, {text} is missing: several arrive with one recv, and the "
            "server handles one of them.",
        ),
        S4_FRAMES,
    ),
    "lines.lost_reader": (
        TEN,
        (
            "Часть сообщений потерялась, нет {text}: несколько сообщений приходят одним recv, и "
            "клиент показывает только одно из них.",
            "Some messages are lost, {text} is missing: several arrive with one recv, and the "
            "client shows one of them.",
        ),
        S4_FRAMES,
    ),
    "lines.no_author_server": (
        TEN,
        (
            "У {text} нет автора: несколько сообщений пришли одним recv, и имя добавлено только "
            "к первому. Нужна граница сообщения.",
            "{text} has no author: several messages came with one recv, and only the first one "
            "got the name. Mark where a message ends.",
        ),
        S4_FRAMES,
    ),
    "lines.no_author_reader": (
        TEN,
        (
            "У {text} нет автора: несколько сообщений пришли к клиенту одним recv, и он не "
            "разделил их. Нужна граница сообщения.",
            "{text} has no author: several messages came to the client with one recv, and it did "
            "not part them. Mark where a message ends.",
        ),
        S4_FRAMES,
    ),
    "letters.garbled": (
        WHOLE,
        (
            "Русская буква занимает два байта, и recv вернул их в разных частях, а каждая часть "
            "декодируется отдельно. Сначала соберите сообщение целиком, затем вызовите decode.",
            "A Cyrillic letter is two bytes, and recv returned them in different pieces, each "
            "decoded by itself. Collect the whole message first, then decode.",
        ),
        S4_FRAMES,
    ),
    "letters.ascii": (
        WHOLE,
        (
            "Ни одна буква не пришла: в кодировке ascii русских букв нет, encode('ascii') и "
            "decode('ascii') возбуждают ошибку. Укажите 'utf-8' в сервере и в клиенте.",
            "Not one letter came: ascii has no Cyrillic letters, so that encode('ascii') and "
            "decode('ascii') fail. Use 'utf-8' in the server and in the client.",
        ),
        S4_FRAMES,
    ),
    "letters.lost": (
        WHOLE,
        (
            "Пришло {came} букв из 3000. recv вернул часть сообщения: либо остаток отброшен, либо "
            "в этой части разорвана двухбайтовая буква, а ошибка decode перехвачена молча.",
            "{came} letters of 3,000 came. recv returned a piece of the message: either the rest "
            "was dropped, or the piece ended inside a letter and the error of decode was hidden.",
        ),
        S4_FRAMES,
    ),
    "letters.pieces": (
        WHOLE,
        (
            "Длинное сообщение recv возвращает частями, и каждая часть пересылается или "
            "показывается как отдельное сообщение. Нужна граница сообщения.",
            "recv returns a long message in pieces, and each piece is passed on or shown as a "
            "message of its own. Mark where a message ends.",
        ),
        S4_FRAMES,
    ),
    "stalled.all": (
        (
            "На экране {reader} должно появиться всё, что вставила {speaker}: зависший клиент "
            "{who} не должен мешать.",
            "{reader}'s screen should show all that {speaker} pasted: {who}'s client, which does "
            "not read, should not matter.",
        ),
        (
            "Буферы зависшего получателя заполнились, и sendall (send) к нему блокируется, а "
            "вместе с ним рассылка всем остальным.",
            "The buffers of the one who does not read are full: sendall (send) to them blocks, "
            "and with it sending to everybody.",
        ),
        S4,
    ),
    "name.same": (
        (
            "Второму участнику с именем ann чат должен отказать или дать другое имя.",
            "The chat should refuse a second ann, or give them another name.",
        ),
        (
            "Сервер не сравнивает новое имя с именами тех, кто уже в чате.",
            "The server does not compare a new name with those in the chat.",
        ),
        S3,
    ),
    "word.none": (
        (
            "Клиент {who} должен завершиться сам после слова, пустой строки или Ctrl-D.",
            "{who}'s client should end by itself after a word, an empty line or Ctrl-D.",
        ),
        (
            "Клиент не сравнивает введённую строку ни с каким словом: всё введённое уходит в чат "
            "как сообщение.",
            "The client compares what is typed with no word: all of it goes to the chat.",
        ),
        S4_EXIT,
    ),
    "word.crashes": (
        (
            "Клиент {who} должен завершиться сам после слова, пустой строки или Ctrl-D, без "
            "сообщения об ошибке.",
            "{who}'s client should end by itself after a word, an empty line or Ctrl-D, without "
            "an error.",
        ),
        (
            "Слова для выхода нет, а конец ввода не обработан: input возбуждает EOFError.",
            "There is no word to leave with, and the end of input is not handled: input raises "
            "EOFError.",
        ),
        S4_EXIT,
    ),
    "word.hangs": (
        (
            "Клиент {who} должен завершиться: это для него знак выйти ({word}).",
            "{who}'s client should end: {word} means that to it.",
        ),
        (
            "Клиент больше ничего не отправляет, но процесс работает: поток выполнения, который "
            "ждёт в recv или input, не завершён. Закройте сокет или сделайте поток daemon.",
            "The client sends nothing more, but its process runs: a thread that waits in recv or "
            "input has not ended. Close the socket, or make the thread a daemon.",
        ),
        S4_EXIT,
    ),
    "word.untold": (
        (
            "{who} выходит ({word}): на экране {reader} должна появиться строка о том, что {who} "
            "больше не в чате.",
            "{who} leaves ({word}): {reader}'s screen should tell that {who} has left.",
        ),
        (
            "Клиент завершается, но сервер не рассылает остальным известие об уходе.",
            "The client ends, but the server does not tell the others.",
        ),
        S4_EXIT,
    ),
    "stop.hangs": (
        (
            "Сервер должен завершиться за 2 секунды, хотя клиенты подключены.",
            "The server should end within 2 seconds, though clients are connected.",
        ),
        (
            "Процесс ждёт потоки выполнения участников, которые блокируются в recv: создайте их "
            "с daemon=True или закройте их сокеты. Так же бывает, если KeyboardInterrupt "
            "перехвачен внутри цикла.",
            "The process waits for threads that block in recv: start them with daemon=True, or "
            "close their sockets. Or KeyboardInterrupt is caught inside of the loop.",
        ),
        S3,
    ),
    "restart.busy": (
        (
            "Сервер должен сразу занять порт {port} снова.",
            "The server should take port {port} again at once.",
        ),
        (
            "Порт ещё числится за старыми соединениями (TIME_WAIT): до bind нужен вызов "
            "setsockopt(SOL_SOCKET, SO_REUSEADDR, 1).",
            "The port still belongs to old connections (TIME_WAIT): call "
            "setsockopt(SOL_SOCKET, SO_REUSEADDR, 1) before bind.",
        ),
        S1,
    ),
}

REMARKS = {
    "author_by_address": (
        "имён нет, авторов различает адрес или номер",
        "no names: an address or a number tells authors apart",
    ),
    "told_by_address": ("названы адрес или номер", "by address or number"),
    "renamed": ("второй ann чат дал другое имя", "the second ann got another name"),
    "credit": ("сверх задания", "beyond the assignment"),
}

NOT_CHECKED = {
    "waits": ("сначала должно получиться {check}", "can't check until {check} works"),
    "unsteady": ("сообщения доходят не каждый раз", "messages do not arrive each time"),
    "no_processor_time": (
        "эта система не сообщает время процессора",
        "this system does not tell processor time",
    ),
    "no_stop": (
        "на этой системе программу нельзя приостановить",
        "no program can be held on this system",
    ),
    "no_buffers": (
        "нужна отдельная сеть (Linux, пространства имён)",
        "needs a network of its own (Linux, namespaces)",
    ),
    "no_flood": (
        "160 КБ строк не доходят и без зависшего получателя",
        "160 KB of lines do not arrive even while everybody reads",
    ),
    "not_taken": ("клиент не принял длинную строку", "the client did not take a long line"),
    "no_names": ("чат не спрашивает имён", "the chat asks for no names"),
    "second_mute": (
        "вторую ann не слышно, причина неизвестна",
        "the second ann is not heard, for reasons unknown",
    ),
    "no_time": ("проверка и так длилась долго", "the checks took long enough"),
    "no_ctrl_c": (
        "на этой системе нажать Ctrl-C в другом окне нельзя",
        "Ctrl-C cannot be pressed for another program on this system",
    ),
    "port_changes": ("порт каждый раз новый", "the port is a new one each time"),
    "server_gone": (
        "сервер или клиент не запустились ещё раз",
        "the server or a client did not start once more",
    ),
    "broken": (
        "сама проверка не сработала ({reason}); это ошибка проверки",
        "the check itself failed ({reason}); that is a fault of the checker",
    ),
}

REASONS = {  # why a pair could not be run
    "no_folder": ("Нет папки {folder}.", "There is no folder {folder}."),
    "no_server": (
        'Сервер не найден в {folder}: назовите файл, --server "python3 server.py".',
        'No server found in {folder}: name it, --server "python3 server.py".',
    ),
    "no_client": (
        'Клиент не найден в {folder}: назовите файл, --client "python3 client.py".',
        'No client found in {folder}: name it, --client "python3 client.py".',
    ),
    "bad_command": ("Команда не читается: {command}", "This is no command: {command}"),
    "no_program": (
        "Программа {program} не установлена на этом компьютере.",
        "The program {program} is not installed here.",
    ),
    "no_start": ("{program} не запускается: {reason}.", "{program} does not start: {reason}."),
    "port_taken": (
        "Порт сервера занят другой программой: завершите её (или подождите минуту) и повторите.",
        "The server's port is taken by another program: end it (or wait a minute), and repeat.",
    ),
    "server_background": (
        "Сервер ушёл в фон: запущенный процесс завершился, а порт слушает другой. Проверять можно "
        "только сервер, который остаётся в своём окне.",
        "The server went into the background: the process that was started has ended. Only a "
        "server that stays in its window can be checked.",
    ),
    "server_ended": (
        "Сервер сразу завершился. Если запускать надо другой файл или с аргументами, назовите "
        'команду: --server "python3 main.py 127.0.0.1 8080".',
        "The server ended at once. If another file has to be started, or with arguments, name "
        'the command: --server "python3 main.py 127.0.0.1 8080".',
    ),
    "client_ended": (
        "Клиент завершился, прежде чем можно было написать сообщение.",
        "The client ended before anything could be typed.",
    ),
    "module": (
        "Нет модуля {module}. Если это Ваш файл, приложите его к работе; если это чужой пакет, "
        "установите его (python -m pip install ...) или уберите импорт.",
        "There is no module {module}. If it is your own file, add it to the submission; if it is "
        "a package, install it (python -m pip install ...) or do without.",
    ),
    "window": (
        "Клиент с окнами ({module}, файл {file}): проверка видит только программы в терминале.",
        "A client with windows ({module}, file {file}): the checker sees terminal programs only.",
    ),
    "question": (
        "Клиент спрашивает «{text}», и проверка не знает, что ответить.",
        "The client asks «{text}», and the checker does not know the answer.",
    ),
    "command": (
        "На сообщение чат отвечает «{text}»: он ждёт команды, а проверка только пишет сообщения.",
        "To a message the chat answers «{text}»: it wants a command, and the checker types only "
        "messages.",
    ),
    "time": ("Время вышло: {seconds} с.", "Out of time: {seconds} s."),
    "processes": (
        "Программы создали больше {most} процессов и были остановлены.",
        "The programs had more than {most} processes and were stopped.",
    ),
    "memory": (
        "Программы заняли слишком много памяти и были остановлены.",
        "The programs took too much memory and were stopped.",
    ),
    "unreadable": (
        "Папку {folder} не удалось прочитать целиком ({reason}).",
        "{folder} could not be read as a whole ({reason}).",
    ),
    "too_big": ("Папка слишком велика: {size} МБ.", "The folder is too big: {size} MB."),
    "lost": (
        "Проверка прервалась без результата.",
        "The check broke off without a result.",
    ),
}

PAGE = {
    "typed": ("что сделано", "done"),
    "expected": ("ожидалось", "expected"),
    "seen": ("на экране", "on screen"),
    "cause": ("вероятно", "likely"),
    "read": ("прочитать", "read"),
    "again": ("повторить", "again"),
    "again_at_home": ("python3 steps check ПАПКА", "python3 steps check FOLDER"),
    "server_said": ("сервер", "server"),
    "of_server": ("сервера", "the server's"),
    "nothing": ("(ничего не появилось)", "(nothing came)"),
    "pass": ("да", "pass"),
    "fail": ("нет", "FAIL"),
    "not_run": ("не проверено", "not run"),
    "hint": ("совет", "hint"),
    "hint_failed": ("совет, оценку не снижает", "a hint, costs no marks"),
    "checking": ("Сервер: {server}\nКлиент: {client}", "Server: {server}\nClient: {client}"),
    "score": (
        "Оцениваемые проверки: {score} из {of}. Советы: {hints} из {of_hints}. Время: {seconds} с.",
        "Graded checks: {score} of {of}. Hints: {hints} of {of_hints}. Time: {seconds} s.",
    ),
    "first": (
        "Сначала исправьте «{check}»: {title}.",
        "Mend «{check}» first: {title}.",
    ),
    "all_pass": ("Всё, что оценивается, работает.", "All that is graded works."),
    "could_not": ("Проверить не удалось: {reason}", "It could not be checked: {reason}"),
    "last_lines": ("Последние строки программы:", "The program's last lines:"),
    "empty_line": ("пустая строка", "an empty line"),
    "error_ended": (
        "В {file}, строка {line} ({code}), возникает {error}, и ошибка не обработана: поток "
        "выполнения, в котором она возникла, на этом завершается.",
        "{error} is raised in {file}, line {line} ({code}), and nobody handles it: the thread in "
        "which it was raised ends there.",
    ),
    "warns": (
        "Проверка запускает чужой код с Вашими правами.",
        "This runs foreign code with your rights.",
    ),
    "protected": (
        "Защита: свои пространства имён процессов и сети (без выхода в сеть), пределы времени, "
        "памяти, вывода и числа процессов. Файлы чужой код читает с Вашими правами.",
        "Protection: namespaces of processes and network (no way out), bounds on time, memory, "
        "output and processes. Files are read with your rights.",
    ),
    "unprotected": (
        "Пространства имён здесь недоступны: работы проверяются по одной. Чужой код может выйти "
        "в сеть, занять порт, изменить Ваши файлы и оставить после себя процессы.",
        "No namespaces here: submissions run one after the other. Foreign code can reach the "
        "network, take ports, change your files and leave processes behind.",
    ),
    "class_done": (
        "Работ: {count}. Таблица: {csv}. Тексты для студентов: {texts}.\n"
        "Столбцы {hints} содержат советы: в оценку (score из of) они не входят.",
        "Submissions: {count}. Table: {csv}. Texts for the students: {texts}.\n"
        "The columns {hints} hold hints: they do not count for the score.",
    ),
    "no_submissions": (
        "В {folder} нет папок с работами.",
        "{folder} has no folders of submissions.",
    ),
    "unknown_id": (
        "--only {only}: такой проверки нет. Есть: {known}.",
        "--only {only}: no such check. There are: {known}.",
    ),
    "cannot_open": ("Папку {folder} не открыть: {reason}", "cannot open {folder}: {reason}"),
    "cannot_write": ("{file} не записать: {reason}", "cannot write {file}: {reason}"),
}


class Words:
    """The texts in one language."""

    def __init__(self, language: str = "ru") -> None:
        self.language = language
        self.index = ("ru", "en").index(language)

    def __call__(self, key: str, **values: object) -> str:
        return PAGE[key][self.index].format(**values)

    def title(self, check: str) -> str:
        """Return what a check is about."""
        return TITLES[check][self.index]

    def doing(self, key: str, **values: object) -> str:
        """Return what somebody has done."""
        return DOING[key][self.index].format(**values)

    def doings(self, done: list[tuple[str, dict]]) -> list[str]:
        """Return what happened, in words; what several people do in turn is one line."""
        told: list[str] = []
        for key, run in itertools.groupby(done, key=lambda each: each[0]):
            values = [each for _, each in run]
            if key in ("joins", "starts"):
                told.append(self.doing(key, who=", ".join(each["who"] for each in values)))
            elif key == "types":
                texts = "; ".join("{who}: {text}".format(**each) for each in values[1:])
                first = self.doing(key, **values[0])
                told.append(f"{first}; {texts}" if texts else first)
            else:
                told += dict.fromkeys(self.doing(key, **each) for each in values)
        return told

    def verdict(self, key: str, **values: object) -> dict[str, str]:
        """Return what should be, the likely cause, and where to read of it."""
        expected, cause, read = VERDICTS[key]
        return {
            "expected": expected[self.index].format(**values),
            "cause": cause[self.index].format(**values),
            "read": read[self.index],
        }

    def remark(self, key: str) -> str:
        """Return a remark on a check that passes."""
        return REMARKS[key][self.index]

    def not_checked(self, key: str, **values: object) -> str:
        """Return why a check was not run."""
        return NOT_CHECKED[key][self.index].format(**values)

    def reason(self, key: str, **values: object) -> str:
        """Return why a pair could not be run."""
        values.pop("lines", None)
        return REASONS[key][self.index].format(**values)

    def way(self, way: str | None) -> str:
        """Return how a way to leave is called: a word, an empty line, a key."""
        return "Ctrl-D" if way is None else way or self("empty_line")

import socket
import threading

HOST = 'localhost'
PORT = 15000
people = {}


def spread(text, author=None):
    for conn in list(people):
        if conn is not author:
            conn.sendall(text.encode('utf-8'))


def talk(conn):
    name = people[conn]
    try:
        while True:
            text = conn.recv(1024).decode('utf-8')
            if not text:
                break
            spread(f'@{name}: {text}', conn)
    except ConnectionError:
        pass
    people.pop(conn)
    spread(f'@{name} покидает нас')


with socket.socket() as server:
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((HOST, PORT))
    server.listen()
    print('Сервер слушает порт', PORT)
    while True:
        conn, addr = server.accept()
        try:
            name = conn.recv(1024).decode('utf-8')
        except ConnectionError:
            continue
        if name == '' or name in people.values():
            conn.sendall('Извините, имя уже используется'.encode('utf-8'))
            conn.close()
            continue
        people[conn] = name
        spread(f'@{name} с нами', conn)
        threading.Thread(target=talk, args=(conn,), daemon=True).start()

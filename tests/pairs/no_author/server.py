import socket
from threading import Thread

sock = socket.socket()
sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
sock.bind(('127.0.0.1', 3333))
sock.listen(5)
users = {}


def send_to_all(text, me):
    for u in list(users.values()):
        if u is not me:
            u.send(text.encode())


def client(conn):
    conn.send('Введите логин:'.encode())
    login = conn.recv(1024).decode()
    while login in users:
        conn.send('Этот логин занят, введите другой логин:'.encode())
        login = conn.recv(1024).decode()
    if login == '':
        conn.close()
        return
    users[login] = conn
    conn.send(f'Добро пожаловать, {login}! Выход - слово exit'.encode())
    send_to_all(f'{login} зашёл', conn)
    while True:
        try:
            text = conn.recv(1024).decode()
        except ConnectionError:
            break
        if text == '' or text == 'exit':
            break
        send_to_all(text, conn)
    del users[login]
    send_to_all(f'{login} вышел', conn)
    conn.close()


print('Start')
while True:
    conn, addr = sock.accept()
    Thread(target=client, args=(conn,), daemon=True).start()

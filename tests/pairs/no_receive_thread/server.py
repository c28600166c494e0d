import socket
import threading

HOST = '127.0.0.1'
PORT = 6789
users = []


def send_message(message, user):
    for u in users[:]:
        if u['sock'] is not user['sock']:
            u['sock'].send(message.encode())


def listen_user(sock):
    name = sock.recv(1024).decode()
    user = {'sock': sock, 'name': name}
    users.append(user)
    print(f'{name} подключился')
    send_message(f'{name} подключился', user)
    while True:
        try:
            data = sock.recv(1024)
        except ConnectionError:
            data = b''
        if not data:
            break
        send_message(f'{name}: {data.decode()}', user)
    users.remove(user)
    send_message(f'{name} отключился', user)
    sock.close()


def main():
    server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((HOST, PORT))
    server.listen(5)
    print('Сервер запущен')
    while True:
        sock, address = server.accept()
        threading.Thread(target=listen_user, args=(sock,), daemon=True).start()


main()

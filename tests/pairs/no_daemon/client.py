import socket
import threading

HOST = '127.0.0.1'
PORT = 8888


def reader(sock):
    while True:
        text = sock.recv(1024).decode('utf-8')
        if not text:
            break
        print('\r' + text)


def main():
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.connect((HOST, PORT))
    name = input('Введите имя пользователя: ')
    sock.sendall(name.encode('utf-8'))
    threading.Thread(target=reader, args=(sock,)).start()
    print('Для выхода введите /exit')
    while True:
        text = input()
        sock.sendall(text.encode('utf-8'))
        if text == '/exit':
            break


if __name__ == '__main__':
    main()

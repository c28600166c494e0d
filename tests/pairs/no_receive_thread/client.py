import socket


def main():
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.connect(('127.0.0.1', 6789))
    name = input('Введите имя: ')
    sock.send(name.encode())
    print('Вы в чате, для выхода введите exit')
    while True:
        message = input('Сообщение: ')
        if message == 'exit':
            break
        sock.send(message.encode())
        answer = sock.recv(1024)
        print(answer.decode())
    sock.close()


main()

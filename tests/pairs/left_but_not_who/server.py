import socket
import threading

class Client(threading.Thread):
    all = []

    def __init__(self, sock):
        super().__init__(daemon=True)
        self.sock = sock
        self.nick = None

    def run(self):
        try:
            self.sock.send('Введите никнейм\n'.encode())
            self.nick = self.sock.recv(1024).decode().strip()
            if not self.nick:
                return
            Client.all.append(self)
            self.others(f'{self.nick} в чате\n')
            self.loop()
        except OSError:
            pass
        if self in Client.all:
            Client.all.remove(self)
            self.others('Пользователь вышел из чата\n')
        self.sock.close()

    def loop(self):
        while True:
            text = self.sock.recv(1024).decode()
            if not text or text.strip() == '/leave':
                break
            self.others(f'{self.nick}: {text.strip()}\n')

    def others(self, text):
        for c in Client.all[:]:
            if c is not self:
                c.sock.send(text.encode())


server = socket.create_server(('', 7070))
print('Сервер запущен, порт 7070')
while True:
    sock, addr = server.accept()
    print(addr)
    Client(sock).start()

import socket
import threading


class ChatServer:
    def __init__(self, host='127.0.0.1', port=8888):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind((host, port))
        self.sock.listen()
        self.clients = {}
        print(f'Сервер слушает {host}:{port}')

    def run(self):
        while True:
            conn, addr = self.sock.accept()
            thread = threading.Thread(target=self.serve, args=(conn,))
            thread.start()

    def serve(self, conn):
        name = conn.recv(1024).decode('utf-8')
        if not name:
            return
        self.clients[conn] = name
        self.broadcast(f'{name} присоединился', conn)
        while True:
            try:
                text = conn.recv(1024).decode('utf-8')
            except OSError:
                break
            if not text or text == '/exit':
                break
            self.broadcast(f'{name}: {text}', conn)
        del self.clients[conn]
        self.broadcast(f'{name} отключился', conn)
        conn.close()

    def broadcast(self, text, author):
        for conn in list(self.clients):
            if conn is not author:
                conn.sendall(text.encode('utf-8'))


if __name__ == '__main__':
    ChatServer().run()

HOST = "localhost"
PORT = 6060
SIZE = 1024

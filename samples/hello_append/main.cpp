// Appends an entry and prints its place in the log.
//   hello_append HOST:PORT [LOG]
#include <loglog/client.h>

#include <iostream>

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: hello_append HOST:PORT [LOG]\n";
    return 2;
  }
  // Any node's address will do: the client learns the others from it.
  auto client = loglog::Client::connect({.addresses = {argv[1]}});
  if (!client) {
    std::cerr << client.error().message << '\n';
    return 1;
  }
  auto log = client->open_or_create_log(argc > 2 ? argv[2] : "hello");
  if (!log) {
    std::cerr << log.error().message << '\n';
    return 1;
  }
  // Returns once the entry is durable on a write quorum, so a power cut does not lose it.
  const loglog::AppendResult result = log->append("hello, log");
  if (!result) {
    std::cerr << result.error.message << '\n';
    return 1;
  }
  std::cout << "committed at " << result.offset << " in term " << result.term << '\n';
}

// Appends one entry and says where it stands.
//   hello_append HOST:PORT [LOG]
#include <loglog/client.h>

#include <iostream>

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: hello_append HOST:PORT [LOG]\n";
    return 2;
  }
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
  const loglog::AppendResult result = log->append("hello, log");
  if (!result) {
    std::cerr << result.error.message << '\n';
    return 1;
  }
  std::cout << "committed at " << result.offset << " in term " << result.term << '\n';
}

#include "base/resolve.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/accounts.h"
#include "base/aside.h"
#include "base/await.h"
#include "base/cut.h"
#include "base/env.h"
#include "base/failure.h"

namespace resolve {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kMaxSaid = 16384;
constexpr std::size_t kMaxName = 253;

struct Database {
  int family;
  std::string_view name;  // to getent(1)
};
constexpr Database kDatabases[] = {{AF_INET, "ahostsv4"}, {AF_INET6, "ahostsv6"}, {AF_UNSPEC, "ahosts"}};

bool can_be_name(const std::string& name) {
  in_addr ignored;
  return !name.empty() && name.size() <= kMaxName && ::inet_aton(name.c_str(), &ignored) == 0 &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
                  c == '_';
         });
}

}  // namespace

std::optional<std::string> question(const std::string& name, int family) {
  if (!can_be_name(name)) return std::nullopt;
  for (const auto& database : kDatabases) {
    if (database.family == family) return std::string(database.name) + " " + name;
  }
  return std::nullopt;
}

std::optional<child::Program> program_for(std::string_view question) {
  const auto blank = question.find(' ');
  if (blank == question.npos) return std::nullopt;
  const std::string name(question.substr(blank + 1));
  for (const auto& database : kDatabases) {
    if (question.substr(0, blank) == database.name && can_be_name(name))
      return child::Program{{"/usr/bin/getent", std::string(database.name), "--", name}, env::allow({}), {}};
  }
  return std::nullopt;
}

Lookup::Lookup(const std::string& name, int family, milliseconds patience) : deadline_(Deadline::in(patience)) {
  const auto asked = question(name, family);
  if (!asked) return;
  if (auto socket = aside::reach("asp-name")) {
    out_ = std::move(*socket);
    ask(*asked);
  } else {
    start(*asked);
  }
}

// A new connection has room for one line. Whoever has ended before it came says no address: look() sees the end.
void Lookup::ask(const std::string& question) {
  const std::string line = question + "\n";
  if (::send(out_.get(), line.data(), line.size(), MSG_NOSIGNAL) < 0 && errno != EPIPE && errno != ECONNRESET)
    tool::fail_errno(tool::os, "ask asp-name");
}

// Does not run as one of our accounts: an attacker who controls one could make that process say
// anything.
void Lookup::start(const std::string& question) {
  fd::Pair pipe = fd::pipe();
  const Fd null = fd::open("/dev/null", O_RDWR);
  auto program = program_for(question).value();
  program.mapping = {{null.get(), STDIN_FILENO}, {pipe.write.get(), STDOUT_FILENO}, {null.get(), STDERR_FILENO}};
  program.identity = accounts::without_rights();
  child_ = child::spawn(program);
  out_ = std::move(pipe.read);
  fd::set_nonblocking(out_.get());
}

std::optional<std::vector<IpAddress>> Lookup::look() {
  const std::vector<IpAddress> none;
  if (!out_) return none;
  char bytes[4096];
  for (;;) {
    const ssize_t length = ::read(out_.get(), bytes, sizeof bytes);
    if (length > 0) said_.append(bytes, static_cast<std::size_t>(length));
    if (length == 0) return addresses();
    if (said_.size() > kMaxSaid) return none;
    if (length < 0 && errno == ECONNRESET) return none;
    if (length < 0 && errno != EINTR) break;
  }
  return deadline_.over() ? std::optional(none) : std::nullopt;
}

// Parses lines such as: 198.51.100.50   STREAM server.example.com
std::vector<IpAddress> Lookup::addresses() const {
  std::vector<IpAddress> found;
  for (const std::string_view line : cut::lines(said_)) {
    const auto address = IpAddress::parse(line.substr(0, line.find(' ')));
    if (address && std::find(found.begin(), found.end(), *address) == found.end()) found.push_back(*address);
  }
  return found;
}

std::vector<IpAddress> addresses_of(const std::string& name, int family, milliseconds patience) {
  Lookup lookup(name, family, patience);
  for (;;) {
    if (auto found = lookup.look()) return std::move(*found);
    await::readable(lookup.fd(), lookup.deadline());
  }
}

bool leads_to(const std::string& name, const IpAddress& address, milliseconds patience) {
  const auto found = addresses_of(name, address.family(), patience);
  return std::find(found.begin(), found.end(), address) != found.end();
}

}  // namespace resolve

#include "base/resolve.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/accounts.h"
#include "base/await.h"
#include "base/cut.h"
#include "base/env.h"
#include "base/failure.h"

namespace resolve {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kMaxSaid = 16384;
constexpr std::size_t kMaxName = 253;

bool can_be_name(const std::string& name) {
  in_addr ignored;
  return !name.empty() && name.size() <= kMaxName && ::inet_aton(name.c_str(), &ignored) == 0 &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
                  c == '_';
         });
}

}  // namespace

// Does not run as one of our accounts: an attacker who controls one could make that process say
// anything.
Lookup::Lookup(const std::string& name, const IpAddress& address, milliseconds patience)
    : address_(address), deadline_(Deadline::in(patience)) {
  if (!can_be_name(name)) return;
  fd::Pair pipe = fd::pipe();
  const Fd null = fd::open("/dev/null", O_RDWR);
  const child::Program program{
      {"/usr/bin/getent", address.is_v4() ? "ahostsv4" : "ahostsv6", "--", name},
      env::allow({}),
      {{null.get(), STDIN_FILENO}, {pipe.write.get(), STDOUT_FILENO}, {null.get(), STDERR_FILENO}},
      accounts::without_rights()};
  child_ = child::spawn(program);
  out_ = std::move(pipe.read);
  fd::set_nonblocking(out_.get());
}

Lookup::Answer Lookup::look() {
  if (!out_) return Answer::no;
  char bytes[4096];
  for (;;) {
    const ssize_t length = ::read(out_.get(), bytes, sizeof bytes);
    if (length > 0) said_.append(bytes, static_cast<std::size_t>(length));
    if (length == 0) return has_address() ? Answer::yes : Answer::no;
    if (said_.size() > kMaxSaid) return Answer::no;
    if (length < 0 && errno != EINTR) break;
  }
  return deadline_.over() ? Answer::no : Answer::none_yet;
}

// Parses lines such as: 198.51.100.50   STREAM server.example.com
bool Lookup::has_address() const {
  const auto lines = cut::lines(said_);
  return std::any_of(lines.begin(), lines.end(), [&](std::string_view line) {
    return IpAddress::parse(line.substr(0, line.find(' '))) == address_;
  });
}

bool leads_to(const std::string& name, const IpAddress& address, milliseconds patience) {
  Lookup lookup(name, address, patience);
  for (;;) {
    const auto answer = lookup.look();
    if (answer != Lookup::Answer::none_yet) return answer == Lookup::Answer::yes;
    await::readable(lookup.fd(), lookup.deadline());
  }
}

}  // namespace resolve

#include "base/resolve.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/accounts.h"
#include "base/env.h"
#include "base/failure.h"

namespace resolve {
namespace {

using Clock = std::chrono::steady_clock;
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

// Not as an account of ours: whoever got the better of one could make that process say anything.
Lookup::Lookup(const std::string& name, const IpAddress& address, milliseconds patience)
    : address_(address), deadline_(Clock::now() + patience) {
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
  return Clock::now() < deadline_ ? Answer::none_yet : Answer::no;
}

// 198.51.100.50   STREAM server.example.com
bool Lookup::has_address() const {
  for (std::size_t at = 0; at < said_.size();) {
    const auto end = std::min(said_.find('\n', at), said_.size());
    const std::string line = said_.substr(at, end - at);
    if (IpAddress::parse(line.substr(0, line.find(' '))) == address_) return true;
    at = end + 1;
  }
  return false;
}

bool leads_to(const std::string& name, const IpAddress& address, milliseconds patience) {
  Lookup lookup(name, address, patience);
  for (;;) {
    const auto answer = lookup.look();
    if (answer != Lookup::Answer::none_yet) return answer == Lookup::Answer::yes;
    const auto left = std::chrono::ceil<milliseconds>(lookup.deadline() - Clock::now()).count();
    pollfd wait{lookup.fd(), POLLIN, 0};
    if (::poll(&wait, 1, static_cast<int>(std::max<long long>(left, 0))) < 0 && errno != EINTR)
      tool::fail_errno(tool::os, "poll");
  }
}

}  // namespace resolve

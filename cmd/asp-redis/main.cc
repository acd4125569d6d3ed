// asp-redis: speaks with Redis for a program that has rights; asp-redis(8).
//
// redis::Client (cluster/redis.h) runs it, for root under the account sallyport-dial. Questions come
// on stdin, answers go to stdout (cluster/redis_message.h).
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "base/confine.h"
#include "base/confine_phases.h"
#include "base/failure.h"
#include "base/io.h"
#include "base/tool.h"
#include "cluster/redis_message.h"
#include "link.h"

namespace {

namespace message = redis::message;

// Absent: the client is gone. It is waited for as long as it lives.
std::optional<redis::Reply> next(message::Inbox& inbox) {
  char bytes[65536];
  for (;;) {
    if (auto value = inbox.pop()) return value;
    const ssize_t got = ::read(STDIN_FILENO, bytes, sizeof bytes);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) tool::fail_errno(tool::io, "read stdin");
    if (got == 0 && inbox.empty()) return std::nullopt;
    if (got == 0) throw tool::Failure(tool::bad_input, "read a message: it is incomplete");
    inbox.add({bytes, static_cast<std::size_t>(got)});
  }
}

redis::Answer answer_to(Link& link, const redis::Question& question) {
  try {
    return {"", link.exchange(question)};
  } catch (const tool::Failure& failure) {
    return {failure.what(), {}};
  }
}

int run(int argc, char**) {
  // Another process of the account must not read the password.
  ::prctl(PR_SET_DUMPABLE, 0);
  if (argc != 1) throw tool::Failure(tool::usage, "asp-redis takes no arguments");
  if (::geteuid() == 0)
    throw tool::Failure(tool::not_permitted, "asp-redis is for an account without rights, not for root");
  confine::see_only({});
  confine::allow_only({confine::kRedis, {AF_INET, AF_INET6}});
  message::Inbox inbox;
  const auto terms = next(inbox);
  if (!terms) return tool::yes;
  Link link(message::terms_in(*terms));
  io::write_all(STDOUT_FILENO, message::pack_ready());
  while (const auto value = next(inbox))
    io::write_all(STDOUT_FILENO, message::pack(answer_to(link, message::question_in(*value))));
  return tool::yes;
}

}  // namespace

int main(int argc, char** argv) {
  return tool::guard("asp-redis", "asp-redis", run, argc, argv, tool::Audience::operators);
}

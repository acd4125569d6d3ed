#include "receiver.h"

#include <algorithm>
#include <cerrno>
#include <optional>

#include "base/deadline.h"

namespace asp_cp {
namespace {

// True if the failure concerns only one file, so that the session goes on.
bool concerns_file(const tool::Failure& failure) {
  switch (failure.code()) {
    case tool::io:
    case tool::not_permitted:
    case tool::temporary:
    case tool::untrusted: return true;
    default: return false;
  }
}

}  // namespace

Receiver::Receiver(Session& session, Observer& observer, const Target& target, bool recursive)
    : session_(session),
      observer_(observer),
      target_(target),
      recursive_(recursive),
      chunk_(std::make_unique<char[]>(kChunk)) {}

void Receiver::refuse(const tool::Failure& failure) {
  const Complaint complaint{failure.code(), failure.what()};
  session_.send(complaint.record("refused"));
  observer_.trouble(complaint, true);
}

void Receiver::take(const Record& message) {
  const std::string word = word_of(message);
  if (word == "file") take_file(FileHead::parse(message));
  else if (word == "directory") take_directory(DirectoryHead::parse(message));
  else if (word == "trouble") observer_.trouble(Complaint::parse(message), false);
  else throw tool::Failure(tool::bad_input, "protocol: an unknown message");
}

void Receiver::check_expected(const std::string& path) const {
  const auto slash = path.find('/');
  const bool asked_for = expected_.empty() || path.substr(0, slash) == expected_;
  if (!asked_for || (!recursive_ && slash != path.npos)) {
    throw tool::Failure(tool::bad_input, "protocol: a file that was not asked for: " + path.substr(0, 128));
  }
}

void Receiver::take_directory(const DirectoryHead& head) {
  check_expected(head.path);
  if (!recursive_) throw tool::Failure(tool::bad_input, "protocol: a directory that was not asked for");
  try {
    target_.make_directory(head);
  } catch (const tool::Failure& failure) {
    if (!concerns_file(failure)) throw;
    return refuse(failure);
  }
  session_.send(plain("stored"));
}

void Receiver::take_file(const FileHead& head) {
  check_expected(head.path);
  // Uses the protocol's existing words, so that a server of any age understands them.
  if (observer_.has(head)) return session_.send(Complaint{tool::temporary, "exists already"}.record("refused"));
  std::optional<Incoming> incoming;
  Have have;
  try {
    incoming.emplace(target_.place(head.path), head);
    have = incoming->examine([this] { session_.busy(); });
  } catch (const tool::Failure& failure) {
    if (!concerns_file(failure)) throw;
    return refuse(failure);
  }
  session_.send(have.record());
  const Data data = Data::parse(session_.next());
  observer_.begin(head, data.offset);
  take_data(&*incoming, head, data.offset);
}

// Once the file is refused, data that is still on its way is read and dropped until the sender's
// `stopped` (or `digest`) tells where it ends.
void Receiver::take_data(Incoming* incoming, const FileHead& head, std::uint64_t offset) {
  const auto store = [&](auto&& step) {
    try {
      if (incoming) step();
    } catch (const tool::Failure& failure) {
      if (!concerns_file(failure)) throw;
      // The partial file is deleted, so that a full disk does not stay full.
      if (failure.code() == tool::io) incoming->discard();
      incoming = nullptr;
      refuse(failure);
    }
  };
  store([&] { incoming->start(offset); });

  std::uint64_t position = offset;
  std::uint64_t end = head.size;
  std::optional<Record> last;
  auto deadline = Deadline::in(kStepLimit);
  while (position < end) {
    const auto got = session_.link().receive(chunk_.get(), std::min<std::uint64_t>(kChunk, end - position), kWaitTime);
    if (got > 0) deadline = Deadline::in(kStepLimit);
    else if (deadline.over()) throw tool::Failure(tool::temporary, "the other end sends no data");
    position += got;
    store([&] { incoming->write(chunk_.get(), got); });
    observer_.advance(got);
    if (!last && (last = session_.glance()) && word_of(*last) == "stopped") {
      end = Stopped::parse(*last).offset;
      if (end < position || end > head.size)
        throw tool::Failure(tool::bad_input, "protocol: stopped at an impossible offset");
    }
  }
  settle(incoming, head, last ? *last : session_.next());
}

void Receiver::settle(Incoming* incoming, const FileHead& head, const Record& last) {
  if (word_of(last) == "stopped") {
    const Stopped stopped = Stopped::parse(last);
    if (!incoming) return;  // the sender stopped because we refused
    observer_.trouble({stopped.code, stopped.reason}, false);
    return session_.send(Complaint{stopped.code, "stopped"}.record("refused"));
  }
  const Digest digest = Digest::parse(last);
  if (!incoming) return;
  try {
    incoming->finish(digest.sha256);
  } catch (const tool::Failure& failure) {
    if (!concerns_file(failure)) throw;
    return refuse(failure);
  }
  session_.send(plain("stored"));
  observer_.stored(head, digest.sha256);
}

}  // namespace asp_cp

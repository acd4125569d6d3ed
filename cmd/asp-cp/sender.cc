#include "sender.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "arguments.h"
#include "base/deadline.h"
#include "digest.h"

namespace asp_cp {
namespace {

constexpr std::chrono::milliseconds kGlanceTime{10};

}  // namespace

Sender::Sender(Session& session, Observer& observer, bool recursive, const Rooted* root)
    : session_(session),
      observer_(observer),
      recursive_(recursive),
      root_(root),
      chunk_(std::make_unique<char[]>(kChunk)) {}

void Sender::trouble(const tool::Failure& failure) {
  const Complaint complaint{failure.code(), failure.what()};
  session_.send(complaint.record("trouble"));
  observer_.trouble(complaint, true);
}

void Sender::send(const std::string& path) {
  std::optional<Source> source;
  try {
    source = Source::open(path, root_);
    if (source->directory() && !recursive_) throw tool::Failure(tool::io, "read " + path + ": a directory (see -r)");
  } catch (const tool::Failure& failure) {
    return trouble(failure);
  }
  send_source(*source, base_name(path));
}

void Sender::send_source(const Source& source, const std::string& name) {
  try {
    split_path(name);  // fails when it is too long or too deep for the protocol
  } catch (const tool::Failure& failure) {
    return trouble(failure);
  }
  if (source.directory()) send_directory(source, name);
  else send_file(source, name);
}

void Sender::send_directory(const Source& source, const std::string& name) {
  session_.send(DirectoryHead{name, source.mode()}.record());
  if (!confirmed(session_.next())) return;
  std::vector<std::string> names;
  try {
    names = source.names();
  } catch (const tool::Failure& failure) {
    return trouble(failure);
  }
  for (const auto& entry : names) {
    std::optional<Source> inner;
    try {
      inner = Source::open_in(source, entry, root_);
    } catch (const tool::Failure& failure) {
      trouble(failure);
      continue;
    }
    send_source(*inner, name + "/" + entry);
  }
}

// Reads the receiver's final answer on a file or directory.
bool Sender::confirmed(const Record& answer) {
  const std::string word = word_of(answer);
  if (word == "refused") {
    observer_.trouble(Complaint::parse(answer), false);
    return false;
  }
  if (word != "stored") throw tool::Failure(tool::bad_input, "protocol: 'stored' was due");
  check_plain(answer);
  return true;
}

void Sender::send_file(const Source& source, const std::string& name) {
  const FileHead head{name, source.size(), source.mode(), source.mtime()};
  if (observer_.has(head)) return;
  session_.send(head.record());
  const Record answer = session_.next();
  if (word_of(answer) != "have") {
    if (confirmed(answer)) throw tool::Failure(tool::bad_input, "protocol: stored before it was sent");
    return;
  }
  Sha256 digest;
  const std::uint64_t offset = resume_point(source, Have::parse(answer), digest);
  session_.send(Data{offset}.record());
  observer_.begin(head, offset);
  if (!send_data(source, offset, digest)) return;
  const std::string sha256 = digest.hex();
  session_.send(Digest{sha256}.record());
  if (!confirmed(session_.next())) return;
  observer_.advance(source.size() - shown_);
  observer_.stored(head, sha256);
}

// The number of bytes that the receiver has when they are the beginning of our file, otherwise 0.
std::uint64_t Sender::resume_point(const Source& source, const Have& have, Sha256& digest) {
  if (have.size == 0 || have.size > source.size()) return 0;
  std::uint64_t done = 0;
  while (done < have.size) {
    session_.busy();
    const auto got = source.read(chunk_.get(), std::min<std::uint64_t>(kChunk, have.size - done), done);
    if (got == 0) break;
    digest.add(chunk_.get(), got);
    done += got;
  }
  if (done == have.size && digest.hex() == have.sha256) return done;
  digest.restart();
  return 0;
}

// False when the file ended early, at this end or the other; both have been told then.
bool Sender::send_data(const Source& source, std::uint64_t offset, Sha256& digest) {
  std::uint64_t position = shown_ = offset;
  std::optional<Record> refusal;
  try {
    while (position < source.size()) {
      const auto got = source.read(chunk_.get(), std::min<std::uint64_t>(kChunk, source.size() - position), position);
      if (got == 0) break;
      digest.add(chunk_.get(), got);
      position += got;
      send_chunk(chunk_.get(), got);
      show_progress(position);
      if ((refusal = session_.glance())) break;
    }
    if (!refusal) refusal = drain(position);
    if (!refusal && (position != source.size() || source.changed())) {
      throw tool::Failure(tool::io, "read " + source.shown() + ": it changed while it was read");
    }
  } catch (const tool::Failure& failure) {
    // Only the file's own faults let the session go on.
    if (failure.code() != tool::io && failure.code() != tool::not_permitted) throw;
    session_.send(Stopped{position, failure.code(), failure.what()}.record());
    observer_.trouble({failure.code(), failure.what()}, true);
    if (word_of(session_.next()) != "refused") throw tool::Failure(tool::bad_input, "protocol: 'refused' was due");
    return false;
  }
  if (!refusal) return true;
  session_.send(Stopped{position, tool::io, "refused"}.record());
  if (confirmed(*refusal)) throw tool::Failure(tool::bad_input, "protocol: stored before it was sent");
  return false;
}

// Waits until the peer has acknowledged nearly everything: on a slow line, our buffer takes minutes to
// empty. A message that comes meanwhile is a refusal.
std::optional<Record> Sender::drain(std::uint64_t position) {
  auto deadline = Deadline::in(kStepLimit);
  for (std::size_t left = 0, before = 0; (left = session_.link().unsent()) > kChunk; before = left) {
    session_.link().check();
    if (auto message = session_.wait(kGlanceTime)) return message;
    show_progress(position);
    if (left != before) deadline = Deadline::in(kStepLimit);
    if (deadline.over()) throw tool::Failure(tool::temporary, "the other end takes no data");
  }
  return std::nullopt;
}

// Progress counts what the peer has, not what waits in our buffer.
void Sender::show_progress(std::uint64_t position) {
  const std::uint64_t there = position - std::min<std::uint64_t>(position, session_.link().unsent());
  if (there <= shown_) return;
  observer_.advance(there - shown_);
  shown_ = there;
}

void Sender::send_chunk(const char* bytes, std::size_t count) {
  auto deadline = Deadline::in(kStepLimit);
  while (count > 0) {
    const auto put = session_.link().send(bytes, count, kWaitTime);
    bytes += put;
    count -= put;
    if (put > 0) deadline = Deadline::in(kStepLimit);
    else session_.busy();
    if (deadline.over()) throw tool::Failure(tool::temporary, "the other end takes no data");
  }
}

}  // namespace asp_cp

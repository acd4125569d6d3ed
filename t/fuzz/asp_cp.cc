// asp-cp's messages from the other end, its hello, and what people write: a path never leads out of
// the target, and a message has one form.
//
// options: -max_len=9000
#include "../../cmd/asp-cp/arguments.h"
#include "../../cmd/asp-cp/hello.h"
#include "../../cmd/asp-cp/probe.h"
#include "../../cmd/asp-cp/progress.h"
#include "../../cmd/asp-cp/protocol.h"
#include "../../cmd/asp-cp/ssh_story.h"
#include "fuzz.h"

namespace {

using namespace asp_cp;

const std::string kSession = "000102030405060708090a0b0c0d0e0f";

// Parses a message; its own record must be the same. Versions that we do not speak are refused by
// another code.
template <typename Message>
std::optional<Message> one_form(const Record& record, auto write) {
  try {
    const Message message = Message::parse(record);
    const Record again = write(message);
    for (const auto& [name, value] : record.fields()) {
      if (name != "say") fuzz::must(again.get(name) == value, "a message has one form");
    }
    return message;
  } catch (const tool::Failure& failure) {
    fuzz::must(failure.code() == tool::bad_input || failure.code() == tool::untrusted, "a message is refused");
    return std::nullopt;
  }
}

template <typename Message>
std::optional<Message> one_form(const Record& record) {
  return one_form<Message>(record, [](const Message& message) { return message.record(); });
}

void safe(const std::string& path) {
  fuzz::must(!path.empty() && path.front() != '/' && path.size() <= kMaxPath, "a path is relative");
  for (const auto& part : split_path(path))
    fuzz::must(!part.empty() && part != "." && part != ".." && part.find('/') == part.npos && part.size() <= kMaxName,
               "a path leads down");
}

void message(const Record& record) {
  one_form<Open>(record);
  one_form<Answer>(record);
  one_form<Reached>(record);
  one_form<Want>(record);
  one_form<Heard>(record);
  one_form<Sent>(record);
  one_form<Got>(record);
  if (const auto head = one_form<FileHead>(record)) {
    safe(head->path);
    fuzz::must(head->mode <= 0777 && head->mtime.tv_nsec >= 0 && head->mtime.tv_nsec < 1'000'000'000, "a file is one");
    fuzz::must(fuzz::is_printable(progress_line(head->path, 1, head->size, 1, 1, 80)), "progress is printable");
  }
  if (const auto head = one_form<DirectoryHead>(record)) safe(head->path);
  one_form<Have>(record);
  one_form<Data>(record);
  one_form<Digest>(record);
  one_form<Stopped>(record);
  one_form<Complaint>(record, [](const Complaint& complaint) { return complaint.record("failed"); });
}

void coding(const std::string& text) {
  if (text.find('\0') == text.npos) fuzz::must(decode(encode(text)) == text, "a name reads back");
  const auto bytes = fuzz::accepted(tool::bad_input, [&] { return decode(text); });
  if (bytes && fuzz::is_printable(text)) fuzz::must(encode(*bytes) == text, "a name has one form");
}

}  // namespace

void fuzz::one(std::string_view input) {
  const std::string text(input);
  if (const auto records = fuzz::accepted(tool::bad_input, [&] { return record::parse_all(text); })) {
    for (const auto& record : *records) message(record);
  }
  coding(text);
  if (fuzz::accepted(tool::bad_input, [&] { return split_path(text); })) safe(text);
  if (session_of_hello(text))
    fuzz::must(!recognise_hello(text, kSession, "passphrase") ||
                   text == make_hello(kSession, static_cast<std::uint8_t>(text[24]), "passphrase"),
               "a hello without the proof is none");
  const asp_cp::probe::Secret secret{kSession, "passphrase"};
  if (const auto size = probe::recognise(text, secret, '?'))
    fuzz::must(size == text.size() &&
                   text.substr(0, probe::kHeadSize) == probe::make(secret, '?', size).substr(0, probe::kHeadSize),
               "a probe has its proof");
  SshStory story;
  story.take(text);
  fuzz::must(story.offered.size() <= 1, "a line offers one key");
  if (const auto place = fuzz::accepted(tool::usage, [&] { return Place::parse(text); }))
    fuzz::must(!place->remote() || !place->host.starts_with('-'), "a host is not an option");
  if (const auto rate = fuzz::accepted(tool::usage, [&] { return parse_rate(text); }))
    fuzz::must(*rate >= 100'000 && *rate <= 100'000'000'000, "a rate is within its limits");
}

// What a client says before there is a session: its command line, the host that it asked for, and
// what sshd tells of it.
//
// options: -max_len=5000
#include "base/cut.h"
#include "config/config.h"
#include "fuzz.h"
#include "session/request.h"
#include "ssh/upstream_command.h"
#include "who/asked_host.h"
#include "who/auth_info.h"
#include "who/command_line.h"

namespace {

void command(const std::string& text) {
  const auto words = command_line::split(text);
  if (!words) return;
  fuzz::must(text.size() <= command_line::kMaxBytes + 2, "a command line is short");
  for (const auto& word : *words) {
    for (const unsigned char c : word) fuzz::must(c >= 0x20 && c != 0x7f, "a word has no control characters");
  }
  const auto built_in = command_line::find(*words, command_line::built_in());
  if (built_in) fuzz::must(!words->empty() && (*words)[0].starts_with("as"), "only known commands are found");
  asked_host::in_words(*words);
}

// The answer must not depend on how the bytes arrive.
void opening(const std::string& text) {
  const auto whole = asked_host::in_stream(text);
  for (std::size_t size = 0; size < text.size(); size += 1 + size / 64) {
    const auto part = asked_host::in_stream(std::string_view(text).substr(0, size));
    if (!part.decided) continue;
    fuzz::must(whole.decided && part.name == whole.name, "what is decided stays");
    return;
  }
  if (text.size() >= asked_host::kMaxLine) fuzz::must(whole.decided, "a long line is decided");
}

}  // namespace

void fuzz::one(std::string_view input) {
  const std::string text(input);
  command(text);
  opening(text);
  const auto halves = fuzz::parts(input, 2);
  command_line::matches(command_line::split(halves[0]).value_or(command_line::Words{}), halves[1]);
  const std::string key = auth_info::fingerprint(text);
  fuzz::must(key.empty() || (key.starts_with("SHA256:") && key.size() == 50), "a fingerprint has one form");
  session::Request request;
  try {
    session::request::read_ssh_connection(text, request);
    const auto words = cut::words(text, " ");
    fuzz::must(words.size() == 4 && request.client.port != 0 && request.proxy.port != 0, "a connection has two ends");
  } catch (const tool::Failure& failure) {
    const bool link_local = text.find('%') != text.npos && failure.code() == tool::not_permitted;
    fuzz::must(link_local || failure.code() == tool::bad_input, "another form is refused");
  }
}

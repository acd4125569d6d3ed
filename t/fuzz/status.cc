// Status lines, and the escapes in which untrusted bytes leave the programs: a line reads back, and
// no escape lets a control character through.
//
// options: -max_len=4096
#include "base/status.h"
#include "base/base64.h"
#include "base/cut.h"
#include "base/hex.h"
#include "base/logging.h"
#include "base/prometheus.h"
#include "base/uuid.h"
#include "fuzz.h"
#include "ssh/upstream_command.h"

namespace {

void line(const std::string& text) {
  const auto parsed = fuzz::accepted(tool::bad_input, [&] { return status::parse(text); });
  if (!parsed) return;
  const std::string written = parsed->text();
  fuzz::must(written.ends_with('\n') && fuzz::is_printable({written.data(), written.size() - 1}),
             "a status line is one printable line");
  const auto again = status::parse({written.data(), written.size() - 1});
  fuzz::must(again.event == parsed->event && again.words == parsed->words, "a status line reads back");
  const int code = status::failure_code(*parsed);
  const std::string given = parsed->get("code");
  fuzz::must(tool::is_exit(code) && code >= tool::usage, "the code of a failure never says success");
  fuzz::must(code == tool::internal || std::to_string(code) == given, "a code is what the line says, or a fault");
  const auto end = upstream::End::from_line(*parsed);
  fuzz::must(end.exit_code() >= 0 && end.exit_code() <= 255, "an exit status has a byte");
}

void escapes(const std::string& text) {
  const std::string escaped = logging::escape(text);
  fuzz::must(fuzz::is_printable(escaped) && escaped.size() <= 4 * text.size(), "escaped text is printable");
  fuzz::must(logging::unescape(escaped) == text, "escaped text reads back");
  logging::unescape(text);
  const std::string label = prometheus::label_value(text);
  fuzz::must(fuzz::is_printable(label), "a label of Prometheus is printable");
  for (std::size_t at = 0; at < label.size(); at += label[at] == '\\' ? 2 : 1)
    fuzz::must(label[at] != '"' && at + (label[at] == '\\') < label.size(), "a label does not end its quotes");
  if (!text.empty()) fuzz::must(base64::decode(base64::encode(text)) == text, "base64 reads back");
  if (const auto bytes = base64::decode(text)) fuzz::must(base64::encode(*bytes) == text, "a value has one base64");
  fuzz::must(hex::decode(hex::encode(text)) == text, "hex reads back");
  if (uuid::is_valid(text)) fuzz::must(text.size() == 36 && fuzz::is_printable(text), "a UUID is printable");
}

void cuts(const std::string& text) {
  std::string joined;
  for (const auto one : cut::lines(text)) joined += std::string(one) + "\n";
  fuzz::must(joined == text || joined == text + "\n", "lines are the text");
  joined.clear();
  for (const auto one : cut::fields(text, ',')) joined += std::string(one) + ",";
  fuzz::must(joined == text + ",", "fields are the text");
  for (const auto one : cut::words(text)) fuzz::must(!one.empty() && one == cut::trimmed(one), "words have no blanks");
}

// Quoted words are what a POSIX shell makes of the line.
void quotes(const std::string& text) {
  if (text.find('\0') != text.npos) return;
  const std::string command = upstream::shell_command({"ascp", text});
  fuzz::must(command.starts_with("ascp ") && command.size() > 5, "an empty word stays a word");
  std::string word;
  bool quoted = false;
  for (std::size_t i = 5; i < command.size(); ++i) {
    const char c = command[i];
    if (c == '\'') quoted = !quoted;
    else if (c == '\\' && !quoted) word += command[++i];
    else if (quoted || std::string_view(" \t\n;&|<>()$`\"*?[#~").find(c) == std::string_view::npos) word += c;
    else fuzz::must(false, "nothing outside quotes is a shell's");
  }
  fuzz::must(!quoted && word == text, "a shell splits the line into the words");
}

}  // namespace

void fuzz::one(std::string_view input) {
  const std::string text(input);
  line(text);
  escapes(text);
  cuts(text);
  quotes(text);
}

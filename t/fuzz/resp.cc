// What Redis says to asp-redis: however the bytes arrive, the answers are the same, and each can be
// handed on.
//
// Input: the size of the pieces in which it arrives, one byte; the bytes
//
// options: -max_len=4096
#include "../../cmd/asp-redis/resp.h"
#include "fuzz.h"

namespace {

// All answers as asp-redis hands them on, and whether the parser refused.
struct Heard {
  std::vector<std::string> answers;
  bool refused = false;
  bool operator==(const Heard&) const = default;
};

Heard heard(std::string_view bytes, std::size_t piece) {
  Heard heard;
  resp::Parser parser;
  heard.refused = !fuzz::accepted(tool::temporary, [&] {
    for (; !bytes.empty(); bytes.remove_prefix(std::min(piece, bytes.size()))) {
      parser.add(bytes.substr(0, piece));
      while (auto answer = parser.pop()) {
        const auto* const error = std::get_if<resp::Error>(&*answer);
        if (error) heard.answers.push_back("-" + error->text);
        else heard.answers.push_back(redis::message::pack({"", {std::get<redis::Reply>(*answer)}}));
      }
    }
    return true;
  });
  return heard;
}

}  // namespace

void fuzz::one(std::string_view input) {
  if (input.empty()) return;
  const std::size_t piece = 1 + static_cast<unsigned char>(input[0]) % 64;
  input.remove_prefix(1);
  const auto whole = heard(input, input.size() + 1);
  fuzz::must(heard(input, piece) == whole, "answers do not depend on how they arrive");
  for (const auto& answer : whole.answers) {
    if (answer.starts_with('-')) continue;
    redis::message::Inbox inbox;
    inbox.add(answer);
    fuzz::must(inbox.pop().has_value() && inbox.empty(), "an answer can be handed on");
  }
  // A command is itself a list of texts.
  const auto command = heard(resp::command({"SET", std::string(input), ""}), 7);
  fuzz::must(!command.refused && command.answers.size() == 1, "a command has one form");
}

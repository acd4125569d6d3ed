// The messages between a program of ours and its asp-redis: the receiver is not root's equal, nor the
// other way round.
//
// Input: the size of the pieces in which it arrives, one byte; the bytes
//
// options: -max_len=4096
#include "cluster/redis_message.h"
#include "base/deadline.h"
#include "fuzz.h"

namespace {

using namespace redis;

std::vector<Reply> popped(std::string_view bytes, std::size_t piece, bool& refused) {
  std::vector<Reply> values;
  message::Inbox inbox;
  refused = !fuzz::accepted(tool::bad_input, [&] {
    for (; !bytes.empty(); bytes.remove_prefix(std::min(piece, bytes.size()))) {
      inbox.add(bytes.substr(0, piece));
      while (auto value = inbox.pop()) values.push_back(std::move(*value));
    }
    return true;
  });
  return values;
}

Reply only(const std::string& packed) {
  bool refused = false;
  auto values = popped(packed, packed.size(), refused);
  fuzz::must(!refused && values.size() == 1, "what we write is one message");
  return std::move(values[0]);
}

void meant(const Reply& value) {
  if (const auto terms = fuzz::accepted(tool::bad_input, [&] { return message::terms_in(value); })) {
    fuzz::must(!terms->servers.empty() && terms->servers.size() <= Terms::kMaxServers, "terms have servers");
    fuzz::must(message::pack(message::terms_in(only(message::pack(*terms)))) == message::pack(*terms),
               "terms read back");
  }
  if (const auto question = fuzz::accepted(tool::bad_input, [&] { return message::question_in(value); })) {
    const auto again = message::question_in(only(message::pack(*question)));
    fuzz::must(again.commands == question->commands && again.deadline == question->deadline, "a question reads back");
    const auto left = Deadline::at(question->deadline).left();
    fuzz::must(left.count() >= 0, "a deadline is now or later");
  }
  if (const auto answer = fuzz::accepted(tool::bad_input, [&] { return message::answer_in(value); })) {
    const auto again = message::answer_in(only(message::pack(*answer)));
    fuzz::must(again.failure == answer->failure && again.replies.size() == answer->replies.size(),
               "an answer reads back");
  }
}

}  // namespace

void fuzz::one(std::string_view input) {
  if (input.empty()) return;
  const std::size_t piece = 1 + static_cast<unsigned char>(input[0]) % 64;
  input.remove_prefix(1);
  bool refused = false;
  bool refused_too = false;
  const auto whole = popped(input, input.size() + 1, refused);
  fuzz::must(popped(input, piece, refused_too).size() == whole.size() && refused == refused_too,
             "messages do not depend on how they arrive");
  for (const auto& value : whole) meant(value);
}

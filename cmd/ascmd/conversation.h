// conversation: with one client, who sends lines (browse/request.h) and gets answers (browse/answers.h).
#pragma once

#include "base/rooted.h"
#include "browse/answers.h"
#include "browse/request.h"

namespace ascmd {

struct Rights {
  bool read = true;
  bool write = true;
  bool list = true;
};

class Conversation {
 public:
  // `about.capabilities` is filled in.
  Conversation(const Rooted& root, Rights rights, browse::Info about);

  // Answers what comes from `in` until as_exit, or its end. Each answer is written whole before more is read.
  // Failure{74}.
  void serve(int in, int out);

 private:
  // False: the client has said that it is done.
  bool answer(const browse::Lines::Line& line, int out);
  void carry_out(const browse::Request& request, int out);
  std::string result(const browse::Request& request);
  bool may(browse::Operation operation) const;

  const Rooted& root_;
  Rights rights_;
  browse::Info about_;
};

}  // namespace ascmd

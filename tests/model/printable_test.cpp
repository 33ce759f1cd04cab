#include "model/text.hpp"

#include <gtest/gtest.h>

#include <ito/error.hpp>

namespace ito {
namespace {

TEST(Printable, TextStaysAsItIs) {
  for (const char* text : {"", "data.csv: got \"x\"", "größe ± 日本 🙂 ½", "~"})
    EXPECT_EQ(printable(text), text);
}

TEST(Printable, NothingThatATerminalActsOnRemains) {
  EXPECT_EQ(printable(std::string("\x1b[31mred\x07\x7f\0.", 12)), "?[31mred???.");
  EXPECT_EQ(printable("a\nb\r\nc\td"), "a b  c d");
  // C1: U+009B begins a control sequence as ESC [ does. U+202E turns the direction of writing.
  EXPECT_EQ(printable("\xc2\x9b"
                      "2J\xe2\x80\xae"),
            "?2J?");
  EXPECT_EQ(printable("a\xe2\x80\xa8"
                      "b\xc2\x85"
                      "c"),
            "a b c");
}

TEST(Printable, BytesThatAreNotUtf8AreReplaced) {
  EXPECT_EQ(printable("gr\xf6\xdf"
                      "e"),
            "gr??e");
  EXPECT_EQ(printable("\x9b"
                      "2J"),
            "?2J");
  EXPECT_EQ(printable("\xe2\x82"), "??") << "cut off";
  EXPECT_EQ(printable("\xc0\xaf"), "??") << "too many bytes for the character";
  EXPECT_EQ(printable("\xed\xa0\x80"), "???") << "half of a pair";
  EXPECT_EQ(printable("\xf4\x90\x80\x80"), "????") << "beyond the last character";
  EXPECT_EQ(printable("\xff\xfe"), "??");
}

TEST(Printable, ShortenedTextEndsWithAWholeCharacter) {
  EXPECT_EQ(shortened("abc", 3), "abc");
  EXPECT_EQ(shortened("abcd", 3), "abc...");
  EXPECT_EQ(shortened("ab½d", 3), "ab...");
}

TEST(Error, IsOnePrintableLineWhateverItQuotes) {
  EXPECT_STREQ(Error("file \x1b[2J\nx", "\xff", "text").what(),
               "file ?[2J x: got ?; accepted: text");
  EXPECT_STREQ(Error("a\x1b").what(), "a?");
}

}  // namespace
}  // namespace ito

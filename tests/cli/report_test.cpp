#include <fmt/format.h>

#include "cli/fixture.hpp"

namespace {

class Report : public ProgramTest {
 protected:
  /// Sixteen numbers are the smallest square shown as a picture.
  void make_images() {
    std::string json = small_latent_model;
    json.replace(json.find("\"observed\": 3"), 13, "\"observed\": 16");
    write(folder / "latent.json", json);
    std::string data;
    for (int row = 0; row < 24; ++row)
      for (int i = 0; i < 16; ++i) data += fmt::format("{}{}", (row * i) % 7, i < 15 ? "," : "\n");
    write(folder / "data.csv", data);
  }

  std::string report(bool gnuplot = true) const {
    const Outcome outcome =
        run(fit_arguments({"--epochs", "2", "--quiet", "--overwrite", "--compare"}),
            {.gnuplot = gnuplot});
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_EQ(outcome.err, "");
    return read(folder / "fit/report.html");
  }

  static int count(const std::string& text, const std::string& part) {
    int found = 0;
    for (std::size_t place = text.find(part); place != std::string::npos;
         place = text.find(part, place + 1))
      ++found;
    return found;
  }
};

TEST_F(Report, IsOnePageThatRefersToNothingOutsideItself) {
  const std::string page = report();
  EXPECT_EQ(count(page, "http:") + count(page, "https:") + count(page, "@import"), 0);
  EXPECT_EQ(count(page, "<link") + count(page, "<script"), 0);
  EXPECT_EQ(count(page, "src="), count(page, "src=\"data:image/"));
  EXPECT_TRUE(page.ends_with("</body></html>\n"));
}

TEST_F(Report, ShowsTheNumbersOfTheSummary) {
  const std::string page = report();
  for (const char* part : {"ELBO", "Importance-weighted bound", "independent", "neural SDE",
                           "nats per observation", "drift.0.weight", "learning rate"})
    EXPECT_GT(count(page, part), 0) << part;
}

TEST_F(Report, DrawsCurvesForVectorsAndPicturesForImages) {
  const std::string of_vectors = report();
  // Training has three panels, samples and reconstructions one each, paths two.
  EXPECT_EQ(count(of_vectors, "data:image/svg+xml;base64,"), 7);
  EXPECT_EQ(count(of_vectors, "data:image/png;base64,"), 0);
  make_images();
  const std::string of_images = report();
  EXPECT_EQ(count(of_images, "data:image/svg+xml;base64,"), 5);
  EXPECT_EQ(count(of_images, "data:image/png;base64,"), 3);
  EXPECT_EQ(count(of_images, "could not be drawn"), 0);
  EXPECT_GT(count(of_images, "nats per image"), 0);
}

TEST_F(Report, DrawsModelsWithoutAnEncoderAndSaysWhereWeightsAreNotExact) {
  write(folder / "latent.json", R"({"state": 2, "horizon": 1, "steps": 4,
    "drift": {"kind": "mlp", "hidden": [4]}, "control": {"kind": "open-loop", "hidden": [4]},
    "solver": "heun", "calculus": "stratonovich", "observed": 3,
    "decoder": {"kind": "mlp", "hidden": [4]}, "likelihood": {"kind": "gaussian"}})");
  const std::string page = report();
  EXPECT_EQ(count(page, "data:image/svg+xml;base64,"), 7);
  EXPECT_EQ(count(page, "could not be drawn"), 0);
  EXPECT_EQ(count(page, "With heun these are bounds up to an error"), 1);
  EXPECT_NE(read(folder / "fit/summary.json").find("\"exact_weights\": false"), std::string::npos);
}

TEST_F(Report, SaysSoWhereGnuplotIsMissing) {
  const std::string page = report(false);
  EXPECT_EQ(count(page, "Figures need gnuplot"), 1);
  EXPECT_EQ(count(page, "<img"), 0);
  EXPECT_GT(count(page, "neural SDE"), 0);
}

}  // namespace

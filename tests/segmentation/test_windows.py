import cv2
import numpy as np

from napari_spheroseg.segmentation.windows import smoothed


def test_a_blur_by_windows_is_that_of_the_whole():
    distance = np.random.default_rng(1).random((300, 280)).astype(np.float32)
    stats = np.array([(0, 0, 31, 20, 500), (100, 120, 45, 50, 2000), (249, 270, 31, 30, 900)])
    whole = cv2.GaussianBlur(distance, (0, 0), 3.3)
    part = smoothed(distance, stats, 3.3)
    for x, y, width, height, _ in stats:
        window = slice(y, y + height), slice(x, x + width)
        np.testing.assert_allclose(part(window), whole[window], rtol=0, atol=1e-6)

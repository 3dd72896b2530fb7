"""SpatialWarp: T(x, t), the Keras layer that applies transformations to images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from spatial_keras.geometry import projective, sampling
from spatial_keras.geometry.axes import Axis, deserialize, serialize
from spatial_keras.geometry.transformations import TransformationSet
from spatial_keras.support import validation

IMPLEMENTATIONS = ("auto", "op", "gather")
COMPOSITIONS = ("sequential", "joint")


@tf.keras.utils.register_keras_serializable("spatial_keras")
class SpatialWarp(tf.keras.layers.Layer):
    """Warps images by given transformations: T(x, t) of the paper's section 2.

    The content turns counter-clockwise about the centre, then moves right (+tx) and down (+ty);
    what comes in from outside is 0, unless `fill` says otherwise. Nothing is drawn at random here.

    Call arguments:
      images: [batch, height, width, channels], any integer or floating type.
      parameters: (tx, ty, rotation) in pixels and degrees, [batch, 3], or along `axes`,
        [batch, axes]; or [batch, k, 3 or axes] for k warps of each image.

    Output: [batch, height, width, channels], or [batch, k, height, width, channels]; float32 for
    integer images, else the images' dtype (16-bit floats are warped in float32).

    Args:
      implementation: "op" is ImageProjectiveTransformV3 (no XLA, no gradient with respect to
        the parameters, an approximate one to the images); "gather" is plain TensorFlow
        (differentiable, compiles under XLA); "auto" is "gather", which works everywhere. Outside
        of XLA "op" is the faster one.
      composition: "sequential" interpolates after the rotation and again after the shift, as the
        paper's code does; "joint" interpolates once, which blurs less. They agree exactly for
        whole-pixel shifts.
      fill: what comes in from outside: "black", the paper's; "nearest", the pixel of the border;
        "reflect", the image mirrored at its border (SciPy's names); or "crop", nothing: the largest
        rectangle about the centre that has no outside in it, of the image's proportions, is
        enlarged to its size, by one interpolation whatever the composition. That undoes nothing of
        the untouched image, but a part of a zoom out.
      axes: of the parameters' columns, see `TransformationSet.axes`; None for tx, ty and rotation.
        Along further axes images are interpolated once, whatever the composition, and where pixels
        only change places, by quarter turns and flips, not at all.
      interpolation: "bilinear"; or "nearest" for images whose values are labels, which are not
        mixed: the pixel nearest to where all transformations together come from, whatever the
        composition, without a gradient with respect to the parameters.

    Raises:
      ValueError: an unknown implementation, composition, fill or interpolation, or arguments of the
        wrong shape.
    """

    def __init__(
        self,
        implementation: str = "auto",
        composition: str = "sequential",
        fill: str = "black",
        axes: Sequence[Axis] | None = None,
        interpolation: str = "bilinear",
        **kwargs: Any,
    ) -> None:
        # Without autocast: a mixed precision policy would round pixel values to 16 bits.
        super().__init__(autocast=False, **kwargs)
        self.implementation = validation.check_name(
            "warp implementation", implementation, IMPLEMENTATIONS
        )
        self.composition = validation.check_name("warp composition", composition, COMPOSITIONS)
        self.fill = validation.check_name("fill", fill, sampling.FILLS)
        self.axes = None if axes is None else tuple(axes)
        self.interpolation = validation.check_name(
            "interpolation", interpolation, sampling.INTERPOLATIONS
        )

    @classmethod
    def fastest(
        cls,
        *,
        xla: bool,
        differentiable: bool = False,
        composition: str = "sequential",
        fill: str = "black",
    ) -> SpatialWarp:
        """Returns the warp that is the fastest of those that can do what is needed.

        Args:
          xla: whether XLA compiles it.
          differentiable: whether gradients with respect to the parameters are taken.
          composition: as of the constructor.
          fill: as of the constructor.
        """
        # The op is the faster one outside of XLA; the two agree to rounding.
        return cls("gather" if xla or differentiable else "op", composition, fill)

    @property
    def num_axes(self) -> int:
        """The number of the parameters' columns."""
        return 3 if self.axes is None else len(self.axes)

    @property
    def settings(self) -> tuple[Any, ...]:
        """What a warped image depends on beside the image and the parameters, but for rounding."""
        return self.composition, self.fill, self.interpolation, self.axes

    def along(self, transformations: TransformationSet) -> SpatialWarp:
        """Returns this warp for the parameters of a set; itself if its axes are the set's."""
        axes = None if transformations.is_papers else transformations.axes
        if axes == self.axes:
            return self
        warp = self.from_config({**self.get_config(), "axes": None})
        warp.axes = axes
        return warp

    def call(self, images: tf.Tensor, parameters: tf.Tensor) -> tf.Tensor:
        """Warps; see the class."""
        images, parameters = tf.convert_to_tensor(images), tf.convert_to_tensor(parameters)
        self._check_shapes(images, parameters)
        dtype = tf.float64 if images.dtype == tf.float64 else tf.float32
        several = parameters.shape.rank == 3
        draws = parameters if several else parameters[:, None]
        warped = self._warp(tf.cast(images, dtype), tf.cast(draws, dtype))
        if images.dtype.is_floating:
            warped = tf.cast(warped, images.dtype)
        return warped if several else warped[:, 0]

    def _warp(self, images: tf.Tensor, parameters: tf.Tensor) -> tf.Tensor:
        mixes_twice = self.composition == "sequential" and self.interpolation == "bilinear"
        if self.axes is None and mixes_twice and self.fill != "crop":
            return self._warp_twice(images, parameters)
        size = sampling.size_of(images)
        if self.axes is None:
            rows = projective.projective_rows(parameters, *size)
        else:
            rows = projective.rows_of_axes(self.axes, parameters, *size)
        return self._sample(
            images, projective.cropped(rows, *size) if self.fill == "crop" else rows, size
        )

    def _warp_twice(self, images: tf.Tensor, parameters: tf.Tensor) -> tf.Tensor:
        """Warps with an interpolation after the rotation and another after the shift."""
        height, width = sampling.size_of(images)
        # The second interpolation mixes each pixel of the rotated image with its left and upper
        # neighbours, by the fractions of the shift. So the first one takes the whole pixels along
        # and needs one more row and column, not the original's padded canvas of 64x64.
        shift = parameters[..., :2]
        whole = tf.stop_gradient(tf.math.ceil(shift))
        rows = projective.projective_rows(
            tf.concat([whole, parameters[..., 2:]], axis=-1), height, width
        )
        rotated = self._sample(images, rows, (height + 1, width + 1))
        fraction_x, fraction_y = tf.unstack((whole - shift)[..., None, None, None, :], axis=-1)
        rotated = rotated[:, :, :-1] * (1.0 - fraction_y) + rotated[:, :, 1:] * fraction_y
        return rotated[:, :, :, :-1] * (1.0 - fraction_x) + rotated[:, :, :, 1:] * fraction_x

    def _sample(self, images: tf.Tensor, rows: tf.Tensor, size: sampling.Size) -> tf.Tensor:
        if self.implementation == "op":
            rows = tf.cast(rows, tf.float32)
            return sampling.sample_with_op(images, rows, size, self.fill, self.interpolation)
        is_affine = self.axes is None
        return sampling.sample_with_gather(
            images, rows, size, self.fill, self.interpolation, is_affine
        )

    def compute_output_shape(
        self, images_shape: tuple[int | None, ...], parameters_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        """Returns the output's shape."""
        return (*parameters_shape[:-1], *images_shape[1:])

    def get_config(self) -> dict[str, Any]:
        """Returns the constructor's arguments."""
        config = super().get_config()
        config.update(
            implementation=self.implementation,
            composition=self.composition,
            fill=self.fill,
            axes=None if self.axes is None else serialize(self.axes),
            interpolation=self.interpolation,
        )
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SpatialWarp:
        """Builds the layer from its configuration."""
        if config.get("axes") is not None:
            config = {**config, "axes": deserialize(config["axes"])}
        return super().from_config(config)

    def _check_shapes(self, images: tf.Tensor, parameters: tf.Tensor) -> None:
        if images.shape.rank != 4 or images.shape[-1] is None:
            raise ValueError(
                "images must be [batch, height, width, channels] with a known number of channels, "
                f"got {images.shape}."
            )
        number = self.num_axes
        if parameters.shape.rank not in (2, 3) or parameters.shape[-1] != number:
            raise ValueError(
                f"parameters must be [batch, {number}] or [batch, k, {number}], "
                f"got {parameters.shape}."
            )
        if not images.shape[:1].is_compatible_with(parameters.shape[:1]):
            raise ValueError(
                f"images and parameters must be equally many, got {images.shape[0]} images and "
                f"{parameters.shape[0]} rows of parameters."
            )

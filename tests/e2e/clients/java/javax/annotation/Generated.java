package javax.annotation;

/** A stub for the annotation that was removed from the JDK. Generated code needs only its name. */
public @interface Generated {
  String[] value();

  String date() default "";

  String comments() default "";
}
